"""TCP ports for processes that are told where to listen."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket

from .errors import HarnessError

_LOOK_AGAIN_S = 0.05


def free_port() -> int:
    """A TCP port of loopback that nobody listens on.

    It is below the range that outgoing connections take, so that it is found free again after a restart. Raises
    OSError when a hundred are taken.
    """
    for _ in range(100):
        port = random.randint(20_000, 32_000)  # noqa: S311 - any will do
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free TCP port was found on 127.0.0.1 from 20000 to 32000; stop what listens there")


async def until_listening(host: str, port: int, deadline_s: float) -> None:
    """Wait until somebody listens there. Raises HarnessError when nobody does within the deadline."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    _, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(_LOOK_AGAIN_S)
                else:
                    writer.close()
                    return
    raise HarnessError(f"nobody listens on {host}:{port} after {deadline_s:g} s; look into the logs beside")
