"""A city's services inside the test's own event loop, and an onlooker at its broker.

async with running_ledger(files), running_gateway(files), onlooker(broker.url) as seen:
    ... seen.health["journal"]["state"] ...
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker.session import Session
from broker.topics import HEALTH, gateway_topic
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from ledger_sync.city.service import serve
from ledger_sync.city.settings import load_ledger_settings
from tests.support.city_files import CITY, GATEWAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from broker.connection import Message
    from broker.url import BrokerUrl
    from tests.support.city_files import CityFiles

STOP_DEADLINE_S = 8.0


@contextlib.asynccontextmanager
async def running_gateway(files: CityFiles) -> AsyncIterator[None]:
    """Run the gateway for the length of the block; it must stop in order then."""
    config = load_gateway_config(files.gateway_config)
    async with running(lambda stop: run_gateway(config, stop)):
        yield


@contextlib.asynccontextmanager
async def running_ledger(files: CityFiles) -> AsyncIterator[None]:
    """Run the ledger for the length of the block."""
    settings = load_ledger_settings(files.ledger_config)
    async with running(lambda stop: serve(settings, stop)):
        yield


@contextlib.asynccontextmanager
async def running(service: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(service(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(STOP_DEADLINE_S):
            await task


@dataclass
class Onlooker:
    """All that went over the broker since the onlooker came; `session` publishes for it."""

    session: Session
    messages: list[Message] = field(default_factory=list)

    def under(self, part: str) -> list[Message]:
        """The messages whose topic has `part` in it, oldest first."""
        return [message for message in self.messages if part in message.topic]

    @property
    def health(self) -> dict[str, Any]:
        """The gateway's newest health message; empty before the first."""
        topic = gateway_topic(HEALTH, CITY, GATEWAY)
        found = [message for message in self.messages if message.topic == topic]
        health: dict[str, Any] = json.loads(found[-1].payload) if found else {}
        return health

    async def listen(self) -> None:
        """Collect until cancelled."""
        async for message in self.session.messages():
            self.messages.append(message)
            message.acknowledge()


@contextlib.asynccontextmanager
async def onlooker(url: BrokerUrl) -> AsyncIterator[Onlooker]:
    """Somebody who reads everything at the broker, and may write there: a broker is not trusted."""
    seen = Onlooker(Session(url, "onlooker", subscriptions=(("wayside/#", 1),)))
    tasks = [asyncio.create_task(seen.session.run()), asyncio.create_task(seen.listen())]
    try:
        async with asyncio.timeout(10):
            await seen.session.wait_connected()
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
