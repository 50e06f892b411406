"""A Session's `run` as a task for the length of a block, and a session in a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from tests.support.brokers import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from broker.session import Session
    from broker.url import BrokerUrl

DEADLINE_S = 30.0


@contextlib.asynccontextmanager
async def running(session: Session, *, connected: bool = True) -> AsyncIterator[Session]:
    """Run `session`; it is cancelled at the end, and the whole block must be over within the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        task = asyncio.create_task(session.run())
        try:
            if connected:
                await session.wait_connected()
            yield session
        finally:
            await asyncio.sleep(0)
            assert not task.done(), f"run() ended by itself: {task}"
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


_CLIENT = """
import asyncio
from broker.publication import Publication
from broker.session import Session
from broker.url import BrokerUrl

async def main():
    session = Session(
        BrokerUrl("127.0.0.1", {port}), {client_id!r}, subscriptions=[("t/#", 1)],
        will=Publication("s/status", b"offline", retain=True),
    )
    task = asyncio.create_task(session.run())
    await session.wait_connected()
    print("connected", flush=True)
    async for message in session.messages():
        print(message.topic, flush=True)

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def session_process(url: BrokerUrl, client_id: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with a connected session: Will on s/status, subscribed to t/#, printing topics, acknowledging none."""
    program = _CLIENT.format(port=url.port, client_id=client_id)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), DEADLINE_S) == b"connected\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
