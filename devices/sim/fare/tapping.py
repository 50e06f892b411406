"""What a simulated fare validator says: taps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from devices.sim.line_device import LineDevice


@dataclass
class FareValidator(LineDevice):
    """Passengers tap in and out at random, each with a pseudonym."""

    event: ClassVar[str] = "fare.tap"

    def next_data(self) -> dict[str, Any]:
        """A tap."""
        direction = self._random.choice(("in", "out"))
        return {"direction": direction, "token": self.pseudonym(), "zone": self._random.randint(1, 9)}

    def tap(self, now_s: float) -> bytes:
        """A passenger taps at `now_s` (monotonic seconds): the line to send."""
        return self.say(now_s)
