"""What a site says, as readings: `signal.phase` and `signal.alarm`. The same whether we are its supervisor or listen.

A reading's id is a digest of what it says, device time included: RSMP gives a message that is sent again a new mId
(core 3.2.2, "Basic structure"), and so only its content tells that it was said before.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from devices.driver import Origin, Reading
from devices.signal.rsmp_alarm import alarm_data, is_told
from devices.signal.rsmp_phases import SIGNAL_STATES, PhaseChanges

if TYPE_CHECKING:
    from devices.driver import WireCounters
    from devices.signal.rsmp_message import Message
    from devices.signal.rsmp_phases import GroupState

SIGNAL_GROUPS = "S0001", "signalgroupstatus"
LABEL_CHARACTERS_MAX = 64
TIME_CHARACTERS_MAX = 40
RESOLUTION_MAX_MS = 3_600_000
_SUBSCRIPTIONS_MAX = 64
_RATE = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_ID_DIGITS = 32


class SiteObserver:
    """Makes readings of a site's messages; what cannot be one is counted as an error.

    `site_id` is the controller's name in events; without it, what the site calls itself.
    """

    def __init__(self, counters: WireCounters, site_id: str | None = None) -> None:
        self._counters = counters
        self._site_id = site_id
        self._named = ""
        self._phases = PhaseChanges()
        self._rates_ms: dict[str, int] = {}

    def from_supervisor(self, message: Message) -> None:
        """Note what the supervisor subscribes to: it is how finely changes are told."""
        component = message.text("cId")
        if message.type not in ("StatusSubscribe", "StatusUnsubscribe"):
            return
        for row in message.rows("sS"):
            if (row.get("sCI"), row.get("n")) != SIGNAL_GROUPS:
                continue
            if message.type == "StatusUnsubscribe":
                self._rates_ms.pop(component, None)
            elif component in self._rates_ms or len(self._rates_ms) < _SUBSCRIPTIONS_MAX:
                self._rates_ms[component] = _rate_ms(row)

    def subscribed(self, component: str) -> None:
        """Our own subscription: changes are told at once."""
        self._rates_ms[component] = 0

    def from_site(self, message: Message) -> list[Reading]:
        """Readings in the order of the message."""
        if message.type == "Version":
            self._begin(message)
            return []
        try:
            if message.type in ("StatusUpdate", "StatusResponse"):
                return self._statuses(message)
            if message.type == "Alarm" and is_told(message):
                return [self._reading("signal.alarm", alarm_data(message, self._controller(message)), message)]
        except ValueError as error:
            self.count_error(str(error))
        return []

    def count_error(self, sentence: str) -> None:
        """Count something of the site's that is no reading."""
        self._counters.errors += 1
        self._counters.last_error = sentence

    def _begin(self, version: Message) -> None:
        names = (one for row in version.rows("siteId") if isinstance(one := row.get("sId"), str))
        self._named = next((one for one in names if 0 < len(one) <= LABEL_CHARACTERS_MAX), "")
        self._phases.begin()

    def _statuses(self, message: Message) -> list[Reading]:
        readings: list[Reading] = []
        for row in message.rows("sS"):
            if (row.get("sCI"), row.get("n")) != SIGNAL_GROUPS:
                continue
            characters = row.get("s")
            if characters is None:
                # Core 3.2.2, "Error handling": the component or the status is unknown to the site.
                raise ValueError("the site has no signal groups (S0001) for the component that was asked for")
            if not isinstance(characters, str):
                raise ValueError("a status of signal groups is no text")  # noqa: TRY004 - one kind of error
            component, controller = _label(message.text("cId")), self._controller(message)
            readings += [
                self._reading("signal.phase", self._phase(message, controller, state), message)
                for state in self._phases.look(component, characters, is_old=row.get("q") == "old")
            ]
        return readings

    def _phase(self, message: Message, controller: str, state: GroupState) -> dict[str, Any]:
        component, time = message.text("cId"), message.text("sTs")
        is_push = message.type == "StatusUpdate"
        data: dict[str, Any] = {
            "controller": controller,
            "component": component,
            "group": state.group,
            "state": SIGNAL_STATES.get(state.character, "unknown"),
            "start_time": time if 0 < len(time) <= TIME_CHARACTERS_MAX else None,
            "source": "push" if is_push else "poll",
            "resolution_ms": self._rates_ms.get(component, RESOLUTION_MAX_MS) if is_push else RESOLUTION_MAX_MS,
            "cause": "opening" if state.is_opening else "change",
        }
        if state.character.isascii() and state.character.isprintable():
            data["raw"] = state.character
        return data

    def _controller(self, message: Message) -> str:
        """The site's id; a listener that came after the handshake may not have heard it, and takes the object's."""
        return self._site_id or _label(self._named or message.text("ntsOId") or message.text("cId"))

    def _reading(self, kind: str, data: dict[str, Any], message: Message) -> Reading:
        timed = data.get("start_time") or data.get("device_time")
        content = [kind, data, None if timed else message.id]
        digest = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return Reading(kind, data, Origin.UNPROTECTED, digest[:_ID_DIGITS])


def _label(text: str) -> str:
    if not 0 < len(text) <= LABEL_CHARACTERS_MAX:
        raise ValueError(f"an id of site or component is empty, or over {LABEL_CHARACTERS_MAX} characters")
    return text


def _rate_ms(row: dict[str, Any]) -> int:
    """How late a change may be told, in milliseconds: 0 where it is told at once."""
    rate = row.get("uRt")
    if row.get("sOc") is True or not isinstance(rate, str) or not _RATE.fullmatch(rate):
        return 0
    return min(RESOLUTION_MAX_MS, int(Decimal(rate) * 1000))
