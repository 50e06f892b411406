"""A pseudo-terminal as a device owns it: the gateway opens its path like a serial port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
import tty
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


_UNPLUGGED_TICK_S = 0.05


class PseudoTerminal:
    """Both ends of a pseudo-terminal in raw mode, plugged in when made.

    With `link`, a symbolic link of that path leads to it and is repointed by every `replug`: like a name under
    /dev/serial/by-id, `path` then stays the same. Bytes that nobody fetches fill the kernel's buffer of about 4 kB;
    what does not fit is lost, as on a wire.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._ends: tuple[int, int] | None = None
        self.path = ""
        self.replug()

    def replug(self) -> None:
        """Plug in: a new terminal (unplugged first, if need be)."""
        self.unplug()
        device_end, port_end = os.openpty()
        tty.setraw(port_end)
        os.set_blocking(device_end, False)
        self._ends = device_end, port_end
        self.path = os.ttyname(port_end)
        if self._link is not None:
            fresh = self._link.with_name(self._link.name + ".new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self.path)
            fresh.replace(self._link)
            self.path = str(self._link)

    def unplug(self) -> None:
        """Pull the plug: who has the port open gets a hang-up; the link leads nowhere. Idempotent."""
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)
        if ends and self._link is not None:
            self._link.unlink(missing_ok=True)

    def write(self, data: bytes, deadline_s: float = 0.0) -> int:
        """Send bytes; give how many were taken within the deadline. The rest, and all of it when unplugged, is lost."""
        until = time.monotonic() + deadline_s
        sent = 0
        while self._ends is not None and sent < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += os.write(self._ends[0], data[sent:])
            remaining = until - time.monotonic()
            if sent < len(data) and (remaining <= 0 or not select.select([], [self._ends[0]], [], remaining)[1]):
                break
        return sent

    def read(self, wait_s: float = 0.0) -> bytes:
        """What the gateway sent, waiting up to `wait_s` for it; empty when there is nothing, or unplugged."""
        if self._ends is None:
            time.sleep(wait_s)
            return b""
        if not select.select([self._ends[0]], [], [], wait_s)[0]:
            return b""
        return os.read(self._ends[0], 4096)

    async def receive(self) -> bytes:
        """What the gateway sends next, waiting for it in asyncio; the same call goes on after a replug."""
        loop = asyncio.get_running_loop()
        while True:
            if self._ends is None:
                await asyncio.sleep(_UNPLUGGED_TICK_S)
                continue
            end = self._ends[0]
            ready = asyncio.Event()
            loop.add_reader(end, ready.set)
            try:
                # A descriptor that is closed meanwhile wakes nobody: so look again now and then.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_UNPLUGGED_TICK_S):
                        await ready.wait()
            finally:
                loop.remove_reader(end)
            if ready.is_set() and self._ends is not None and self._ends[0] == end:
                return os.read(end, 4096)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()
