"""One connection of a simulated site, from its version to its end (RSMP core 3.2.2, "Communication establishment")."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .rsmp_connection import ack_of, hang_up, new_message, not_ack_of, packed, packets, understood, w3c

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from devices.sim.device import DeviceClock
    from devices.sim.faults import Faults

    from .rsmp_connection import RecentPackets
    from .rsmp_outbox import Outbox

WATCHDOG_S = 60.0
SXL = "1.2.1"


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Who a site is, and which RSMP versions it speaks."""

    site_id: str
    component: str
    versions: tuple[str, ...]
    ack_timeout_s: float = 30.0


class SiteSession:
    """Speaks to whoever is the supervisor; sends through `faults`."""

    def __init__(
        self,
        facts: SiteFacts,
        outbox: Outbox,
        faults: Faults,
        clock: DeviceClock,
        writer: StreamWriter,
        wire: RecentPackets,
    ) -> None:
        self._facts, self._outbox, self._faults, self._clock = facts, outbox, faults, clock
        self._writer, self._wire = writer, wire
        self._own: dict[str, str] = {}
        self._waiting_since: float | None = None
        self._is_established = False
        self._heard_version = self._version_accepted = False

    async def run(self, reader: StreamReader) -> None:
        """Until the connection ends, or the supervisor leaves something unacknowledged for too long."""
        beating = asyncio.create_task(self._beat())
        try:
            self._ask("Version", RSMP=[{"vers": one} for one in self._facts.versions], **self._who())
            async for packet in packets(reader):
                self._wire.received.append(packet)
                message = understood(packet)
                if message is not None:
                    await self._take(message)
        finally:
            beating.cancel()

    def _who(self) -> dict[str, Any]:
        return {"siteId": [{"sId": self._facts.site_id}], "SXL": SXL}

    async def _beat(self) -> None:
        began_s, watchdogs = time.monotonic(), 0
        while True:
            await asyncio.sleep(min(0.1, self._facts.ack_timeout_s / 4))
            waiting = bool(self._own) or self._outbox.unacknowledged > 0
            self._waiting_since = (self._waiting_since or time.monotonic()) if waiting else None
            if self._waiting_since and time.monotonic() - self._waiting_since > self._facts.ack_timeout_s:
                hang_up(self._writer)
            if self._is_established and time.monotonic() - began_s > WATCHDOG_S * (watchdogs + 1):
                watchdogs += 1
                self._ask("Watchdog", wTs=w3c(self._clock.now()))

    async def _take(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("MessageAck", "MessageNotAck"):
            self._take_answer(message, accepted=kind == "MessageAck")
            return
        await asyncio.sleep(self._faults.late_s())
        if kind == "Version":
            self._take_version(message)
        elif not self._heard_version:
            return
        elif kind in ("StatusSubscribe", "StatusUnsubscribe"):
            self._send(ack_of(message))
            wanted = [(one.get("sCI"), one.get("n")) for one in message.get("sS", ())]
            if ("S0001", "signalgroupstatus") in wanted and message.get("cId") == self._facts.component:
                if kind == "StatusSubscribe":
                    self._outbox.subscribe()
                else:
                    self._outbox.subscribed = False
        elif kind == "Watchdog":
            self._send(ack_of(message))
        else:
            self._send(not_ack_of(message, f"{kind} is not simulated"))

    def _take_version(self, message: dict[str, Any]) -> None:
        offered = {one.get("vers") for one in message.get("RSMP", ())}
        if not offered & set(self._facts.versions):
            self._send(not_ack_of(message, f"RSMP versions {sorted(map(str, offered))} requested, but not supported"))
            self._writer.close()
            return
        self._send(ack_of(message))
        self._heard_version = True
        self._go_on()

    def _take_answer(self, message: dict[str, Any], *, accepted: bool) -> None:
        self._waiting_since = None
        kind = self._own.pop(str(message.get("oMId")), None)
        if kind is None:
            # Refused or not: it has arrived, and sending it again would change nothing.
            self._outbox.acknowledge(str(message.get("oMId")))
        elif kind == "Version" and not accepted:
            self._writer.close()
        elif kind == "Version":
            self._version_accepted = True
            self._go_on()
        elif kind == "Watchdog" and not self._is_established:
            self._is_established = True
            functional = {"fP": None, "fS": None, "se": [False] * 5 + [True] + [False] * 2}
            about = {"ntsOId": self._facts.component, "xNId": "", "cId": self._facts.component}
            self._ask("AggregatedStatus", **about, aSTS=w3c(self._clock.now()), **functional)
            self._outbox.connect(self._send)

    def _go_on(self) -> None:
        if self._heard_version and self._version_accepted:
            self._ask("Watchdog", wTs=w3c(self._clock.now()))

    def _ask(self, kind: str, **members: Any) -> None:
        message = new_message(kind, **members)
        self._own[message["mId"]] = kind
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            return
        frame = packed(message)
        self._wire.sent.append(frame[:-1])
        sent, whole = self._faults.apply(frame)
        if whole and len(sent) > len(frame):
            # Garbage of another message: a form feed ends it, and the next is whole.
            sent = sent[: -len(frame)] + b"\f" + frame
        self._writer.write(sent)
        if not whole or self._faults.unplugs():
            self._writer.close()
