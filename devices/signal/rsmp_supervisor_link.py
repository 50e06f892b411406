"""The gateway as the site's supervisor: accepts the site, keeps the session, gives its readings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from devices.driver import DeviceError
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_session import SessionError, SupervisorSession
from devices.signal.rsmp_site_line import SITE_DEADLINE_S, SiteLine
from devices.signal.rsmp_splitter import MessageSplitter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading, Recorded, Refused, WireCounters
    from devices.signal.rsmp_session import SessionSettings


class SupervisorLink:
    """One site at `tcp://host:port`, where it finds its supervisor in us."""

    def __init__(self, port: str, settings: SessionSettings, counters: WireCounters) -> None:
        self._settings = settings
        self._counters = counters
        self._line = SiteLine(port)
        self._ready: list[Reading] = []
        self._begin()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Wait for the site and shake hands, 20 s at most. Raises DeviceError."""
        self._begin()
        try:
            async with asyncio.timeout(SITE_DEADLINE_S):
                await self._line.open()
                while not self._session.is_established:
                    self._ready += await self._receive()
        except TimeoutError as error:
            raise DeviceError(
                f"{self._line.port}: no site has connected and told its version within {SITE_DEADLINE_S:g} s; check "
                "the site, and that this is its supervisor's address"
            ) from error

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings in the order of the wire. Raises DeviceError when the connection or the session ends."""
        while True:
            ready, self._ready = self._ready, []
            for reading in ready:
                self._counters.readings += 1
                yield reading
            self._ready = await self._receive()

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Acknowledge the message of a reading, when it was the last of it."""
        self._session.answered(reading, outcome)
        # The line is failed by this, and `readings` raises; the site keeps and sends what was not acknowledged.
        with contextlib.suppress(DeviceError):
            await self._send()

    async def close(self) -> None:
        """Close the connection; idempotent."""
        await self._line.close()

    def _begin(self) -> None:
        self._observer = SiteObserver(self._counters, self._settings.site_id)
        self._session = SupervisorSession(self._settings, self._observer)
        self._splitter = MessageSplitter()
        self._ready = []

    async def _receive(self) -> list[Reading]:
        """Readings of what comes next, perhaps none; answers and asks what is due."""
        data = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._session.next_s - time.monotonic())):
                data = await self._line.read()
        readings = []
        try:
            for raw in self._messages(data):
                readings += self._session.receive(raw, time.monotonic())
            self._session.tick(time.monotonic())
        except SessionError as error:
            await self._send()
            raise DeviceError(f"{self._line.port}: {error}") from error
        await self._send()
        # A flood of what gives no readings must leave the loop to others: a read or write that need not wait does not.
        await asyncio.sleep(0)
        return readings

    def _messages(self, data: bytes) -> list[bytes]:
        too_long, dropped = self._splitter.too_long, self._splitter.bytes_dropped
        messages = list(self._splitter.feed(data))
        if self._splitter.too_long > too_long:
            self._counters.resyncs += 1
            self._observer.count_error("the site sent a message over 64 KiB")
        self._counters.bytes_dropped += self._splitter.bytes_dropped - dropped
        return messages

    async def _send(self) -> None:
        async with self._writing:
            outgoing, self._session.outgoing = self._session.outgoing, []
            if outgoing:
                await self._line.write(b"".join(outgoing))
