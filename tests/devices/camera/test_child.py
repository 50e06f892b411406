"""The process of a camera as its driver sees it: whatever it does, there is one clear error, in time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import pytest

from devices.camera import child
from devices.camera.child import CameraProcess
from devices.camera.pipe import LINE_BYTES_MAX, Report
from devices.driver import DeviceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAMS = {
    "floods without a line's end": ("while True: print('x' * 4096, end='')", "said what is no report"),
    "says what is no report": ("print('Traceback'); import time; time.sleep(60)", "said what is no report"),
    "says nothing": ("import time; time.sleep(60)", "said nothing for 0.5 s"),
    "closes its output and lives on": ("import os, time; os.close(1); time.sleep(60)", "ended by signal 9"),
    "ends": ("raise SystemExit(3)", "ended with code 3"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
}


@contextlib.asynccontextmanager
async def running(program: str) -> AsyncIterator[tuple[CameraProcess, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_BYTES_MAX
    )
    camera = CameraProcess("cam-1", process)
    try:
        yield camera, process
    finally:
        await camera.end()
    assert process.returncode is not None


@pytest.mark.parametrize(("program", "why"), PROGRAMS.values(), ids=PROGRAMS.keys())
async def test_a_process_that_is_no_camera_any_more_is_a_device_error(
    program: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "SILENCE_MAX_S", 0.5)
    async with asyncio.timeout(10), running(program) as (camera, process):
        with pytest.raises(DeviceError, match=f"cam-1: its process .*{why}; it is started again"):
            await camera.report()
        begun_s = time.monotonic()
        await camera.end()
        assert time.monotonic() - begun_s < 1, "the supervisor gives it no more"
        assert process.returncode is not None


async def test_its_last_word_is_the_reason() -> None:
    line = Report(failure="junction.toml: has no lane; add one").line().decode()
    async with running(f"print({line!r}, end='', flush=True); import time; time.sleep(60)") as (camera, _):
        with pytest.raises(DeviceError, match=r"^cam-1: junction\.toml: has no lane; add one$"):
            await camera.report()


async def test_one_that_does_not_read_what_it_is_told_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "UNSENT_BYTES_MAX", 100_000)
    async with asyncio.timeout(10), running("import time; time.sleep(60)") as (camera, process):
        for _ in range(100):
            camera.tell(b"x" * 10_000)
        assert await process.wait() == -9


async def test_one_that_does_not_end_with_its_input_is_killed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "END_MAX_S", 0.05)
    async with asyncio.timeout(5), running("import time; time.sleep(60)") as (camera, process):
        await camera.end()
        assert process.returncode == -9
        await camera.end()


async def test_telling_one_that_has_ended_does_nothing() -> None:
    async with running("pass") as (camera, process):
        await process.wait()
        camera.tell(b"{}\n")
