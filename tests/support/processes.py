"""Processes that a test kills: gateways and ledgers, started as a city would start them."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from tests.support.brokers import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

END_DEADLINE_S = 15.0
LOG_TAIL_CHARACTERS = 3000


_running: set[int] = set()


@atexit.register
def _leave_nothing_running() -> None:
    """A test that failed has not ended what it started."""
    for pid in _running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Process:
    """One Python process; its output is appended to `log_path`. `end` or `kill` it."""

    def __init__(self, process: asyncio.subprocess.Process, log_path: Path) -> None:
        self._process = process
        self._log_path = log_path
        _running.add(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, -9 after SIGKILL; None while it runs."""
        return self._process.returncode

    def log_tail(self) -> str:
        return self._log_path.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    async def wait(self, deadline_s: float = END_DEADLINE_S) -> int:
        """The exit code. Raises TimeoutError."""
        async with asyncio.timeout(deadline_s):
            code = await self._process.wait()
        _running.discard(self.pid)
        return code

    async def kill(self) -> None:
        """SIGKILL, unless it has ended; returns when it has."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        _running.discard(self.pid)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)


async def start_module(module: str, config: Path, *arguments: str, name: str, before: Sequence[str] = ()) -> Process:
    """`python -m module --config config arguments`; its log is <config's folder>/<name>.log. `before`: a tracer."""
    log_path = config.parent / f"{name}.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *before,
            *(sys.executable, "-m", module, "--config", str(config), *arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return Process(process, log_path)
