"""A simulated parking terminal on a pseudo-terminal, speaking one JSON object a line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.line_device import LineDevice
from devices.sim.line_terminal import LineTerminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.sim.device import Placement, Truth

_CENTS_A_MINUTE = 5


@dataclass(kw_only=True)
class ParkingSessions(LineDevice):
    """Drivers pay for a time, and some extend it, leave early or give up; each is known by a pseudonym only."""

    now: Callable[[], datetime]
    event: ClassVar[str] = "parking.session"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._open: list[dict[str, Any]] = []

    def next_data(self) -> dict[str, Any]:
        """A session starts, or one that is open goes on or ends."""
        if not self._open or self._random.random() < 0.5:  # noqa: PLR2004 - as many start as go on
            return self._start()
        place = self._random.randrange(len(self._open))
        session, state = self._open[place], self._random.choice(("extended", "ended", "cancelled"))
        if state == "extended":
            return self._paid(session, state)
        del self._open[place]
        if state == "cancelled":
            return {**session, "state": state}
        return {**session, "state": state, "end_time": self._time(0)}

    def _start(self) -> dict[str, Any]:
        session = {
            "session": f"s-{len(self.sent) + 1}",
            "token": self.pseudonym(),
            "bay": f"A-{self._random.randint(1, 40)}",
            "zone": self._random.randint(1, 4),
        }
        self._open.append(session)
        return self._paid({**session, "start_time": self._time(0)}, "started")

    def _paid(self, session: dict[str, Any], state: str) -> dict[str, Any]:
        minutes = 15 * self._random.randint(1, 8)
        cents = minutes * _CENTS_A_MINUTE
        return {
            **session,
            "state": state,
            "paid_until": self._time(minutes),
            "duration_s": 60 * minutes,
            "amount": f"{cents // 100}.{cents % 100:02d}",
            "currency": "EUR",
            "payment": self._random.choice(("card", "cash", "app")),
        }

    def _time(self, minutes: int) -> str:
        return f"{self.now() + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


class ParkingTerminal(LineTerminal):
    """Kind `parking-terminal`: something about a session every interval, sent again until it is answered."""

    kind: ClassVar[str] = "parking-terminal"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        sessions = ParkingSessions(placement.seed, run=f"{time.time_ns():x}", now=placement.clock.now)
        super().__init__(placement, truth, sessions)
