"""A supervisor's side of an RSMP connection, sans-I/O: messages and clocks in, answers and readings out.

RSMP core 3.2.2, "Communication establishment between sites and supervision system", "Message acknowledgement" and
"Watchdog"; the messages are valid by the JSON Schemas of core 3.1.2 to 3.2.2.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from devices.signal.rsmp_message import (
    MessageError,
    acknowledgement,
    decode_message,
    refusal,
    subscription,
    version,
    watchdog,
)
from devices.signal.rsmp_observer import LABEL_CHARACTERS_MAX, SIGNAL_GROUPS
from devices.signal.rsmp_outstanding import Outstanding

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.driver import Reading, Recorded, Refused
    from devices.signal.rsmp_message import Message, Request
    from devices.signal.rsmp_observer import SiteObserver

VERSIONS = ("3.1.2", "3.1.3", "3.1.4", "3.1.5", "3.2.0", "3.2.1", "3.2.2")
"""RSMP core versions that are spoken, oldest first."""
SEND_ON_CHANGE_SINCE = "3.1.5"
COMPONENTS_MAX = 32
_FROM_SITES = {"AggregatedStatus", "Alarm", "CommandResponse", "StatusResponse", "StatusUpdate", "Watchdog"}
_REASON_CHARACTERS_MAX = 120


class SessionError(Exception):
    """The connection is to be closed, after what is in `outgoing` was sent. One sentence with its mend."""


class SessionSettings(NamedTuple):
    """`site_id` and `component`: None takes what the site says. Times in seconds."""

    site_id: str | None
    component: str | None
    ack_timeout_s: float
    watchdog_s: float


class _Asked(NamedTuple):
    type: str
    until_s: float


def _now_utc() -> datetime:
    return datetime.now(UTC)


class SupervisorSession:
    """One connection of a site, from its first byte on. `at_s` is monotonic time, in seconds.

    `outgoing` are bytes to send, in order; whoever sends them takes them out. `is_established`: the handshake is
    over, and statuses may be asked for.
    """

    def __init__(
        self, settings: SessionSettings, observer: SiteObserver, utc: Callable[[], datetime] = _now_utc
    ) -> None:
        self.outgoing: list[bytes] = []
        self.is_established = False
        self._settings = settings
        self._observer = observer
        self._utc = utc
        self._version = ""
        self._asked: dict[str, _Asked] = {}
        self._outstanding: Outstanding[str] = Outstanding()
        self._subscribed: set[str] = set()
        self._watchdog_due_s = self._component_due_s = math.inf

    @property
    def next_s(self) -> float:
        """When `tick` has something to do at the latest."""
        return min(self._watchdog_due_s, self._component_due_s, *(one.until_s for one in self._asked.values()))

    def tick(self, at_s: float) -> None:
        """Send what is due. Raises SessionError when the site left something unanswered for too long."""
        limit_s = self._settings.ack_timeout_s
        late = next((asked.type for asked in self._asked.values() if asked.until_s <= at_s), None)
        if late is not None:
            raise SessionError(f"the site has not acknowledged a {late} within {limit_s:g} s; check site and net")
        if self._component_due_s <= at_s:
            raise SessionError(
                f"the site has named no component with signal groups within {limit_s:g} s (by AggregatedStatus); "
                "set `component`"
            )
        if self._watchdog_due_s <= at_s:
            self._watchdog_due_s = at_s + self._settings.watchdog_s
            self._ask(watchdog(self._utc()), at_s)

    def receive(self, raw: bytes, at_s: float) -> list[Reading]:
        """Take one message of the site's; gives its readings, and acknowledges it once they are answered.

        Raises SessionError.
        """
        try:
            message = decode_message(raw)
        except MessageError as error:
            self._observer.count_error(str(error))
            return []
        if message.is_acknowledgement:
            self._take_acknowledgement(message)
            return []
        if not self._version:
            # Until the versions are exchanged nothing else is acknowledged ("Message acknowledgement").
            if message.type == "Version":
                self._greet(message, at_s)
            else:
                self._observer.count_error("the site spoke before it told its version")
            return []
        if message.type not in _FROM_SITES:
            self._observer.count_error("the site sent a type of message that a site does not send")
            self.outgoing.append(refusal(message.id, f"Unexpected packet type: {message.type}"))
            return []
        readings = self._observer.from_site(message)
        if readings:
            self._outstanding.add(message.id, readings)
        else:
            self.outgoing.append(acknowledgement(message.id))
        self._react(message, at_s)
        return readings

    def answered(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """A reading is recorded, or never will be: acknowledge its message, if it was the last of it."""
        settled = self._outstanding.answered(reading, outcome)
        if settled is not None:
            answer = refusal(settled.token, settled.refused) if settled.refused else acknowledgement(settled.token)
            self.outgoing.append(answer)

    def _greet(self, message: Message, at_s: float) -> None:
        offered = [row.get("vers") for row in message.rows("RSMP")]
        site_ids = [one for row in message.rows("siteId") if isinstance(one := row.get("sId"), str) and one]
        common = [one for one in VERSIONS if one in offered]
        if not common:
            names = _quoted(",".join(one for one in offered[:10] if isinstance(one, str)))
            self._reject(message, f"RSMP versions [{names}] requested, but only [{','.join(VERSIONS)}] supported")
        if not site_ids:
            self._reject(message, "The Version message names no site id")
        if self._settings.site_id not in (None, *site_ids):
            self._reject(message, f"Site id {self._settings.site_id} is expected here, and no other")
        self._version = common[-1]
        self._observer.from_site(message)
        self.outgoing.append(acknowledgement(message.id))
        # Any version of the list has S0001 with the same meaning: so the site's own is the one that matches.
        self._ask(version(VERSIONS, site_ids, message.text("SXL") or "1.0"), at_s)

    def _reject(self, message: Message, reason: str) -> None:
        self.outgoing.append(refusal(message.id, reason))
        raise SessionError(f"the site was refused ({reason}); correct the site, or `site_id`")

    def _take_acknowledgement(self, message: Message) -> None:
        asked = self._asked.pop(message.id, None)
        if asked is None:
            self._observer.count_error("the site acknowledged a message that nobody sent")
        elif message.type == "MessageNotAck":
            reason = _quoted(message.text("rea"))
            sentence = f"the site does not accept a {asked.type} ({reason or 'without a reason'})"
            if asked.type == "Watchdog":
                self._observer.count_error(sentence)
            else:
                raise SessionError(f"{sentence}; correct the site, `site_id` or `component`")

    def _react(self, message: Message, at_s: float) -> None:
        if message.type == "Watchdog" and not self.is_established:
            self.is_established = True
            self._watchdog_due_s = at_s
            self.tick(at_s)
            if self._settings.component is not None:
                self._subscribe(self._settings.component, at_s)
            else:
                self._component_due_s = at_s + self._settings.ack_timeout_s
        elif message.type == "AggregatedStatus" and self.is_established and self._settings.component is None:
            self._subscribe(message.text("cId"), at_s)

    def _subscribe(self, component: str, at_s: float) -> None:
        if (
            component in self._subscribed
            or not 0 < len(component) <= LABEL_CHARACTERS_MAX
            or len(self._subscribed) >= COMPONENTS_MAX
        ):
            return
        self._component_due_s = math.inf
        self._subscribed.add(component)
        has_send_on_change = VERSIONS.index(self._version) >= VERSIONS.index(SEND_ON_CHANGE_SINCE)
        request = subscription(component, *SIGNAL_GROUPS, has_send_on_change=has_send_on_change)
        self._observer.subscribed(component)
        self._ask(request, at_s)

    def _ask(self, request: Request, at_s: float) -> None:
        self._asked[request.id] = _Asked(request.type, at_s + self._settings.ack_timeout_s)
        self.outgoing.append(request.data)


def _quoted(text: str) -> str:
    """What a site says, fit for a log line."""
    return "".join(one for one in text if one.isprintable())[:_REASON_CHARACTERS_MAX]
