"""The process of a camera, as its driver sees it.

Video comes from the network and is decoded by a large library: it stays out of the process that holds the signing
key, and a crash there is a device that is lost, not a gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

from devices.camera.pipe import LINE_BYTES_MAX, SILENCE_MAX_S, parse_report
from devices.driver import DeviceError

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from devices.camera.pipe import Assignment, Report

END_MAX_S = 0.5
UNSENT_BYTES_MAX = 1 << 20


class CameraProcess:
    """One running process. `place` is what its errors name."""

    def __init__(self, place: str, process: Process) -> None:
        self._place = place
        self._process = process
        self._is_killed = False

    @classmethod
    async def start(cls, place: str, assignment: Assignment) -> CameraProcess:
        """Start it and hand it its assignment. Raises DeviceError."""
        # Without -P it would look for its modules in whatever folder the gateway was started from.
        path = "-I" if sys.flags.isolated else "-P"
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, path, "-m", "devices.camera.process"),
                stdin=PIPE,
                stdout=PIPE,
                # Else each of its threads keeps what it has freed (mallopt(3), M_ARENA_MAX): a quarter more memory.
                env={**os.environ, "MALLOC_ARENA_MAX": "1"},
                # FFmpeg quotes addresses there, passwords included; what the process has to say it reports.
                stderr=DEVNULL,
                limit=LINE_BYTES_MAX,
                # Ctrl-C at a terminal stops the gateway, which then stops this.
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"{place}: its process does not start ({error.strerror}); free memory") from error
        started = cls(place, process)
        started.tell(assignment.line())
        return started

    def tell(self, line: bytes) -> None:
        """Send a line; never waits. A process that does not read is ended: what it missed would make it wrong."""
        stdin = self._process.stdin
        assert stdin is not None, "opened as a pipe"
        if stdin.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._kill()
        elif not stdin.is_closing():
            stdin.write(line)

    async def report(self) -> Report:
        """The next thing it says. Raises DeviceError when it has ended, says that it must, or hangs."""
        stdout = self._process.stdout
        assert stdout is not None, "opened as a pipe"
        try:
            async with asyncio.timeout(SILENCE_MAX_S):
                report = parse_report(await stdout.readuntil(b"\n"))
        except asyncio.IncompleteReadError as error:
            raise self._lost(await self._end_reason()) from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise self._lost("its process said what is no report") from error
        except TimeoutError as error:
            raise self._lost(f"its process said nothing for {SILENCE_MAX_S:g} s") from error
        if report.failure:
            raise DeviceError(f"{self._place}: {report.failure}")
        return report

    async def end(self) -> int:
        """End it, at once if need be; returns its exit code once it is gone."""
        stdin = self._process.stdin
        assert stdin is not None, "opened as a pipe"
        stdin.close()
        try:
            async with asyncio.timeout(END_MAX_S):
                return await self._gone()
        except TimeoutError:
            self._kill()
            return await self._gone()

    async def _gone(self) -> int:
        stdout = self._process.stdout
        assert stdout is not None, "opened as a pipe"
        # asyncio takes no process for ended before its pipes are, and one that is full ends when it is read.
        while await stdout.read(LINE_BYTES_MAX):
            pass
        return await self._process.wait()

    def _kill(self) -> None:
        if self._is_killed:
            return
        # A second time asyncio would look whether it has ended, and so may take its exit code from who waits for it.
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _lost(self, why: str) -> DeviceError:
        self._kill()
        return DeviceError(f"{self._place}: {why}; it is started again")

    async def _end_reason(self) -> str:
        code = await self.end()
        return f"its process ended by signal {-code}" if code < 0 else f"its process ended with code {code}"
