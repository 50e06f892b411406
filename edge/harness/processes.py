"""Our own programs as processes: each in a session of its own, with its output in a log file.

A SIGKILL of their parent leaves none of them: each asks the kernel to end it with its parent (`child`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from .errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

STOP_MAX_S = 5.0
"""What `wayside run` promises after SIGTERM."""
_KILLED_MAX_S = 5.0


class Process:
    """One `wayside` verb that can be started, killed, started again and stopped. To be used in the main thread only.

    The kernel ends a child with the very thread that started it, not with that thread's process.
    """

    def __init__(self, name: str, arguments: tuple[str, ...], directory: Path) -> None:
        self.name = name
        self.log_path = directory / f"{name}.log"
        self._command = [sys.executable, "-I", "-m", "edge.harness.child", str(os.getpid()), *arguments]
        self._directory = directory
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        """Whether it was started and not ended by us."""
        return self._running is not None

    def start(self) -> None:
        """Start it; returns at once."""
        with self.log_path.open("ab") as log:
            self._running = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, "TMPDIR": str(self._directory)},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises HarnessError when it has ended by itself."""
        code = self._running.poll() if self._running else None
        if code is not None:
            raise HarnessError(f"{self.name} ended by itself (exit code {code}); see {self.log_path}")

    def kill(self) -> None:
        """SIGKILL to it and whatever it started, as a power cut would; nothing of it runs on return. Idempotent."""
        running, self._running = self._running, None
        if running is not None:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait(_KILLED_MAX_S)

    async def stop(self) -> None:
        """SIGTERM, and its orderly end. Raises HarnessError when that takes over 5 s, or its exit code is not 0."""
        assert self._running is not None, "not started"
        self._running.terminate()
        try:
            code = await asyncio.to_thread(self._running.wait, STOP_MAX_S)
        except subprocess.TimeoutExpired:
            raise HarnessError(
                f"{self.name} did not end within {STOP_MAX_S:g} s of SIGTERM; see {self.log_path}"
            ) from None
        self._running = None
        if code != 0:
            raise HarnessError(f"{self.name} ended with exit code {code}; see {self.log_path}")
