"""The gateway as a listener between a site and the supervisor that owns it: nothing is ever sent to either."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

from devices.driver import DeviceError
from devices.signal.rsmp_copies import Kind
from devices.signal.rsmp_message import MessageError, decode_message
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_outstanding import Outstanding
from devices.signal.rsmp_site_line import SITE_DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading, Recorded, Refused, WireCounters
    from devices.signal.rsmp_relay_line import Record, RelayLine


class ProxyLink:
    """Reads the copies of a relay, and settles each once all of its readings are recorded."""

    def __init__(self, line: RelayLine, counters: WireCounters, site_id: str | None) -> None:
        self._line = line
        self._counters = counters
        self._site_id = site_id
        self._first: Record | None = None
        self._begin()

    async def open(self) -> None:
        """Attach to the relay, and wait for the site, 20 s at most. Raises DeviceError."""
        self._begin()
        hello = await self._line.open()
        self._connections = hello["connections"]
        if not self._connections and not hello["kept"]:
            self._first = await self._read()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings in the order of the wire. Raises DeviceError when site, supervisor or relay are gone."""
        while True:
            record, self._first = self._first or await self._read(), None
            if record.kind is Kind.NOTICE:
                self._take_notice(record)
                continue
            readings = self._observe(record)
            if not record.number:
                continue
            self._is_done[record.number] = not readings
            self._outstanding.add(record.number, readings)
            await self._settle()
            for reading in readings:
                self._counters.readings += 1
                yield reading
            # What is kept may be read without waiting: others need the loop as well.
            await asyncio.sleep(0)

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Let the relay forget the message of a reading, when it was the last of it."""
        settled = self._outstanding.answered(reading, outcome)
        if settled is not None:
            # Without a relay `readings` raises; a new one keeps nothing, and an old one gives the copy again.
            self._is_done[settled.token] = True
            with contextlib.suppress(DeviceError):
                await self._settle()

    async def close(self) -> None:
        """Leave the relay, which goes on; idempotent."""
        await self._line.close()

    def _begin(self) -> None:
        self._observer = SiteObserver(self._counters, self._site_id)
        self._outstanding: Outstanding[int] = Outstanding()
        self._is_done: dict[int, bool] = {}
        self._connections = 0
        self._first = None

    async def _read(self) -> Record:
        try:
            async with asyncio.timeout(None if self._connections else SITE_DEADLINE_S):
                return await self._line.read()
        except TimeoutError as error:
            raise DeviceError(
                f"{self._line.port}: no site has connected within {SITE_DEADLINE_S:g} s; check the site, and that this "
                "is its supervisor's address"
            ) from error

    async def _settle(self) -> None:
        """In order: so what the relay gives to the next gateway begins where this one's records end."""
        done = list(itertools.takewhile(self._is_done.__getitem__, self._is_done))
        for number in done:
            del self._is_done[number]
        if done:
            await self._line.settle(done[-1])

    def _observe(self, record: Record) -> list[Reading]:
        try:
            message = decode_message(record.content)
        except MessageError as error:
            self._observer.count_error(str(error))
            return []
        if record.kind is Kind.SITE:
            return self._observer.from_site(message)
        self._observer.from_supervisor(message)
        return []

    def _take_notice(self, record: Record) -> None:
        notice = record.notice
        if notice["notice"] == "unreachable":
            raise DeviceError(
                f"{self._line.port}: the site's supervisor cannot be reached ({notice['why']}), and so the site is "
                "turned away; check the supervisor, and `supervisor`"
            )
        if notice["notice"] == "dropped":
            self._counters.bytes_dropped += notice["bytes"]
            self._observer.count_error(f"the relay could not keep {notice['messages']} messages for the gateway")
            return
        self._connections = notice["connections"]
        if not self._connections:
            raise DeviceError(f"{self._line.port}: the site and its supervisor have parted; check both, and the net")
