"""The gateway's clocks: UTC, CLOCK_BOOTTIME, boot id, and how far the kernel trusts its UTC (adjtimex).

UTC may jump; nothing here orders events by it. Each event carries both clocks, so that a step shows afterwards too.
"""

from __future__ import annotations

import ctypes
import os
import time
import uuid
from pathlib import Path

from ledger_sync.proof.event import CLOCK_HOLDOVER, CLOCK_SYNCED, CLOCK_UNSYNCED, ClockState, Stamp

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
STEP_MIN_US = 100_000
HOLDOVER_FROM_US = 1_000_000

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_SOURCE = "kernel"


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as `maxerror` and `status` need it; the rest is room for the kernel."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_LIBC = ctypes.CDLL(None, use_errno=True)


def read_clock_state() -> ClockState:
    """What the kernel knows of its UTC; reads only, needs no privilege.

    Synced while the time daemon keeps the kernel's error bound under 1 s; the bound then grows by 500 ppm, which is
    holdover, until the kernel itself gives up (16 s): unsynced. Whether the daemon's source was authenticated the
    kernel cannot tell, so it is never claimed. Raises OSError where the kernel refuses adjtimex.
    """
    timex = _Timex()
    result = _LIBC.adjtimex(ctypes.byref(timex))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if result == _TIME_ERROR or timex.status & _STA_UNSYNC:
        return ClockState(CLOCK_UNSYNCED, None, _SOURCE, authenticated=False)
    state = CLOCK_SYNCED if timex.maxerror < HOLDOVER_FROM_US else CLOCK_HOLDOVER
    return ClockState(state, timex.maxerror, _SOURCE, authenticated=False)


def _utc_us() -> int:
    # A clock set to before 1970 has no place in an event; the step to it is recorded all the same.
    return max(0, time.time_ns() // 1000)


def _boottime_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Clock:
    """Stamps events. `tick` is to be called about once a second; between ticks the clock's state is taken as it was."""

    def __init__(self) -> None:
        self.boot_id = uuid.UUID(BOOT_ID_FILE.read_text().strip()).bytes
        self.state = read_clock_state()
        self._offset_us = _utc_us() - _boottime_us()

    def stamp(self) -> Stamp:
        """Now, on both clocks."""
        return Stamp(_utc_us(), self.boot_id, _boottime_us(), self.state)

    def tick(self) -> int | None:
        """Look at the clock's state anew; returns the size in µs of a step of UTC since the last tick, if any."""
        self.state = read_clock_state()
        offset_us = _utc_us() - _boottime_us()
        step_us, self._offset_us = offset_us - self._offset_us, offset_us
        return step_us if abs(step_us) >= STEP_MIN_US else None
