from __future__ import annotations

import ctypes
import errno
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.clock import Clock, read_clock_state
from ledger_sync.proof.event import CLOCK_HOLDOVER, CLOCK_SOURCE_BYTES_MAX, CLOCK_SYNCED, CLOCK_UNSYNCED, ClockState

TIME_OK, TIME_INS, TIME_ERROR, STA_UNSYNC = 0, 1, 5, 0x0040


class Kernel:
    """adjtimex(2) as the kernel answers it."""

    def __init__(self, result: int = TIME_OK, status: int = 0, maxerror: int = 1500) -> None:
        self.result, self.status, self.maxerror = result, status, maxerror

    def adjtimex(self, reference: Any) -> int:
        timex = reference._obj
        assert timex.modes == 0, "must only read"
        timex.status, timex.maxerror = self.status, self.maxerror
        return self.result


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(clock, "_LIBC", kernel)
    return kernel


@pytest.mark.parametrize(
    ("result", "status", "maxerror", "state", "error_us"),
    [
        (TIME_OK, 0, 1500, CLOCK_SYNCED, 1500),
        (TIME_OK, 0, 0, CLOCK_SYNCED, 0),
        (TIME_INS, 0, 999_999, CLOCK_SYNCED, 999_999),
        (TIME_OK, 0, 1_000_000, CLOCK_HOLDOVER, 1_000_000),
        (TIME_OK, 0, 15_999_999, CLOCK_HOLDOVER, 15_999_999),
        (TIME_ERROR, 0, 16_000_000, CLOCK_UNSYNCED, None),
        (TIME_OK, STA_UNSYNC, 1500, CLOCK_UNSYNCED, None),
        (TIME_ERROR, STA_UNSYNC, 1500, CLOCK_UNSYNCED, None),
    ],
)
def test_the_kernels_word_becomes_the_clocks_state(
    kernel: Kernel, result: int, status: int, maxerror: int, state: int, error_us: int | None
) -> None:
    kernel.result, kernel.status, kernel.maxerror = result, status, maxerror
    assert read_clock_state() == ClockState(state, error_us, "kernel", authenticated=False)


def test_a_kernel_that_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1

    monkeypatch.setattr(clock, "_LIBC", type("Kernel", (), {"adjtimex": staticmethod(refuse)}))
    with pytest.raises(PermissionError):
        read_clock_state()


def test_this_machines_kernel_answers() -> None:
    state = read_clock_state()
    assert state.state in (CLOCK_UNSYNCED, CLOCK_HOLDOVER, CLOCK_SYNCED)
    assert (state.error_us is None) == (state.state == CLOCK_UNSYNCED)
    assert len(state.source) <= CLOCK_SOURCE_BYTES_MAX


def test_a_stamp_carries_both_clocks_the_boot_and_the_state(kernel: Kernel) -> None:
    the_clock = Clock()
    before_us, before_boot_us = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    stamp = the_clock.stamp()
    assert before_us <= stamp.utc_us <= time.time_ns() // 1000
    assert before_boot_us <= stamp.boottime_us <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    assert str(uuid.UUID(bytes=stamp.boot_id)) == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert stamp.clock.error_us == 1500
    kernel.maxerror = 1600
    assert the_clock.stamp().clock is stamp.clock  # between ticks the state is taken as it was
    the_clock.tick()
    assert the_clock.stamp().clock.error_us == 1600


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("step_us", "told"), [(0, None), (99_000, None), (100_000, 100_000), (-3_600_000_000, -3_600_000_000)]
)
def test_a_step_of_utc_is_told_once_with_its_size(
    monkeypatch: pytest.MonkeyPatch, step_us: int, told: int | None
) -> None:
    now = {"utc": 1_000_000_000, "boot": 5_000_000}
    monkeypatch.setattr(clock, "_utc_us", lambda: now["utc"])
    monkeypatch.setattr(clock, "_boottime_us", lambda: now["boot"])
    the_clock = Clock()
    now["utc"] += 1_000_000 + step_us
    now["boot"] += 1_000_000
    assert the_clock.tick() == told
    assert the_clock.tick() is None


@pytest.mark.usefixtures("kernel")
def test_sleeping_through_suspend_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"utc": 1_000_000_000, "boot": 5_000_000}
    monkeypatch.setattr(clock, "_utc_us", lambda: now["utc"])
    monkeypatch.setattr(clock, "_boottime_us", lambda: now["boot"])
    the_clock = Clock()
    now["utc"] += 8 * 3_600_000_000
    now["boot"] += 8 * 3_600_000_000
    assert the_clock.tick() is None
