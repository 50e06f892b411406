"""Relays as processes, for tests: started as the driver starts them, and ended in any case."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.signal.rsmp_relay_line import RelayLine
from tests.support.brokers import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path: that of a unix socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="rsmp-"))
    yield folder
    shutil.rmtree(folder)


class RelayProcess:
    """Started by the first `line` that is opened; `end` it."""

    def __init__(self, folder: Path, supervisor_port: int) -> None:
        self.path = folder / "signal-1.relay"
        self.port = free_port()
        self.listen = f"tcp://127.0.0.1:{self.port}"
        self.supervisor = f"tcp://127.0.0.1:{supervisor_port}"
        self._pids: set[int] = set()

    def line(self, *, idle_s: float = 30.0) -> RelayLine:
        return RelayLine(self.path, self.listen, self.supervisor, idle_s)

    async def start(self, *, idle_s: float = 30.0) -> int:
        """Start it with nobody attached; gives its process id."""
        line = self.line(idle_s=idle_s)
        pid = await self.attach(line)
        await line.close()
        return pid

    async def attach(self, line: RelayLine) -> int:
        pid: int = (await line.open())["pid"]
        self._pids.add(pid)
        return pid

    async def end(self) -> None:
        """Whatever runs at the socket, or was ever seen there."""
        if self.path.exists():
            line = self.line()
            with contextlib.suppress(DeviceError):
                hello = await line._attach()
                self._pids |= {hello["pid"]} if hello else set()
            await line.close()
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await until(lambda: not any(map(is_running, self._pids)), "the relay is dead")


def is_running(pid: int) -> bool:
    """Whether a process has any thread left: until then it holds its sockets."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except FileNotFoundError:
        return False
