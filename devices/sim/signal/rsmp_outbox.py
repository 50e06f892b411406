"""What a simulated site has to say: sent when it can be, kept while it cannot, told in the truth once acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .rsmp_connection import new_message, w3c

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from devices.sim.device import Truth

    from .rsmp_site_session import SiteFacts

KEPT_MAX = 10_000
"""As many as a site must be able to keep at least (core 3.2.2, "Communication disruption")."""

_PHASE, _ALARM = "signal.phase", "signal.alarm"
Send = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Said:
    """A status or an alarm: its message without mId, and what it says as rows of the truth.

    Beside each row stands whether it is news, and so surely recorded once acknowledged; what was so before may be
    recorded or not.
    """

    kind: str
    members: dict[str, Any]
    rows: list[tuple[dict[str, Any], bool]]
    active: bool = False
    is_told: bool = False
    times_sent: int = field(default=0)

    @classmethod
    def of_groups(cls, groups: str, before: str, shown: Mapping[str, str], now: datetime, facts: SiteFacts) -> Said:
        """A StatusUpdate of S0001: all groups, of which some changed."""
        time = w3c(now)
        known = before.ljust(len(groups))
        rows = [
            (
                {
                    "controller": facts.site_id,
                    "component": facts.component,
                    "group": number,
                    "state": shown[one],
                    "start_time": time,
                    "source": "push",
                    "resolution_ms": "*",
                    "cause": "*",
                    "raw": one,
                },
                one != was,
            )
            for number, (one, was) in enumerate(zip(groups, known, strict=True), 1)
        ]
        status = {"sCI": "S0001", "n": "signalgroupstatus", "s": groups, "q": "recent"}
        members = {"ntsOId": "", "xNId": "", "cId": facts.component, "sTs": time, "sS": [status]}
        return cls("StatusUpdate", members, rows)

    @classmethod
    def of_alarm(
        cls,
        code: str,
        text: str,
        priority: str,
        values: list[dict[str, str]],
        now: datetime,
        facts: SiteFacts,
        *,
        active: bool,
    ) -> Said:
        """An Alarm that became active or inactive."""
        time = w3c(now)
        row: dict[str, Any] = {
            "controller": facts.site_id,
            "component": facts.component,
            "alarm": code,
            "state": "active" if active else "inactive",
            "change": "issue",
            "acknowledged": False,
            "suspended": False,
            "category": "D",
            "priority": int(priority),
            "device_time": time,
            "text": text,
        }
        if values:
            row["values"] = [{"name": one["n"], "value": one["v"]} for one in values]
        about = {"ntsOId": "", "xNId": "", "cId": facts.component, "aCId": code, "xACId": text, "xNACId": ""}
        what = {"aSp": "Issue", "ack": "notAcknowledged", "aS": "Active" if active else "inActive"}
        how = {"sS": "notSuspended", "aTs": time, "cat": "D", "pri": priority, "rvs": values}
        return cls("Alarm", about | what | how, [(row, True)], active=active)

    def message(self) -> dict[str, Any]:
        """With a new mId, also when it is sent again; a status is old then."""
        members = dict(self.members)
        if self.kind == "StatusUpdate" and self.times_sent:
            members["sS"] = [one | {"q": "old"} for one in members["sS"]]
        return new_message(self.kind, **members)


class Outbox:
    """Everything said and not acknowledged yet. `confirms`: who acknowledges is the gateway, and answers for it."""

    def __init__(self, device: str, truth: Truth, facts: SiteFacts, *, confirms: bool) -> None:
        self._device, self._truth, self._facts, self._confirms = device, truth, facts, confirms
        self._kept: deque[Said] = deque(maxlen=KEPT_MAX)
        self._unacknowledged: dict[str, Said] = {}
        self._send: Send | None = None
        self._groups: Said | None = None
        self.alarms: dict[str, Said] = {}
        self.subscribed = False

    def say(self, said: Said) -> None:
        """Send it, or keep it."""
        if said.kind == "StatusUpdate":
            self._groups = said
            if not self.subscribed:
                return
        if self._send is None:
            # It is told late, and a status therefore as old.
            said.times_sent = 1
            self._kept.append(said)
        else:
            self._send_now(said)

    def set_alarm(self, said: Said) -> None:
        """How an alarm stands now."""
        self.alarms[said.members["aCId"]] = said

    def connect(self, send: Send) -> None:
        """The handshake is over: all alarms as they stand, then what was kept."""
        self._send = send
        kept = [said for said in self._kept if said not in self.alarms.values()]
        self._kept.clear()
        for said in (*self.alarms.values(), *kept):
            self._send_now(said)

    def subscribe(self) -> None:
        """Statuses are wanted: how they stand is told at once, unless they were wanted before."""
        if not self.subscribed and self._groups is not None:
            everything = [(row, True) for row, _ in self._groups.rows]
            self._groups = Said("StatusUpdate", self._groups.members, everything)
            self.subscribed = True
            self.say(self._groups)
        self.subscribed = True

    def acknowledge(self, message_id: str) -> None:
        """It has arrived."""
        said = self._unacknowledged.pop(message_id, None)
        if said is not None:
            self._tell(said, sure=True)

    def disconnect(self) -> None:
        """The connection is gone: keep what was not acknowledged."""
        self._send = None
        self._kept.extendleft(reversed(self._unacknowledged.values()))
        self._unacknowledged.clear()

    def close(self) -> None:
        """The end: what was sent and not acknowledged may have arrived or not."""
        for said in (*self._unacknowledged.values(), *self._kept):
            self._tell(said, sure=False)

    @property
    def unacknowledged(self) -> int:
        """How many messages wait for an answer."""
        return len(self._unacknowledged)

    def _send_now(self, said: Said) -> None:
        assert self._send is not None
        message = said.message()
        said.times_sent += 1
        self._unacknowledged[message["mId"]] = said
        self._send(message)

    def _tell(self, said: Said, *, sure: bool) -> None:
        kind = _PHASE if said.kind == "StatusUpdate" else _ALARM
        for row, is_news in said.rows:
            is_sure = sure and is_news and not said.is_told
            number = self._truth.add(self._device, kind, row, sure=is_sure and not self._confirms)
            if is_sure and self._confirms:
                self._truth.acknowledged(self._device, number)
        if said.times_sent > 1 and not said.is_told:
            # A gateway that began anew in between may have told it twice: once as a change, once as an opening.
            for row, _ in said.rows:
                self._truth.add(self._device, kind, row, sure=False)
        said.is_told = True
