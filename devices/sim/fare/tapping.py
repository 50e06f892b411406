"""A simulated fare validator: sends taps, keeps each until it is answered, and remembers what was acknowledged."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

RESEND_AFTER_S = 2.0
_ANSWER_BYTES_MAX = 4096
_PSEUDONYM_LETTERS = "abcdefghjkmnpqrstuvwxyz"  # no digits: a pseudonym never looks like a card number


@dataclass
class FareValidator:
    """The device side of the line protocol (DESIGN 11), without its wire and clock.

    `run` makes its ids differ from those of another run. A tap is in exactly one of `unanswered`, `acknowledged` and
    `refused`; `sent` holds all, by id.
    """

    seed: int
    run: str
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    unanswered: dict[str, float] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    answers_unasked: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._received = b""

    def tap(self, now_s: float) -> bytes:
        """A passenger taps at `now_s` (monotonic seconds): the line to send."""
        tap_id = f"{self.run}-{len(self.sent) + 1}"
        self.sent[tap_id] = {
            "direction": self._random.choice(("in", "out")),
            "token": "".join(self._random.choices(_PSEUDONYM_LETTERS, k=16)),
            "zone": self._random.randint(1, 9),
        }
        return self._line(tap_id, now_s)

    def resend(self, now_s: float) -> list[bytes]:
        """The lines of all taps that were sent 2 s ago or earlier and have no answer."""
        overdue = [tap_id for tap_id, at in self.unanswered.items() if now_s - at >= RESEND_AFTER_S]
        return [self._line(tap_id, now_s) for tap_id in overdue]

    def receive(self, data: bytes) -> list[str]:
        """Take bytes from the gateway; give the ids that are acknowledged by them for the first time."""
        *lines, rest = (self._received + data).split(b"\n")
        self._received = rest[-_ANSWER_BYTES_MAX:]
        return [tap_id for line in lines if (tap_id := self._answer(line)) is not None]

    def _answer(self, line: bytes) -> str | None:
        try:
            answer = json.loads(line)
        except ValueError:
            answer = {}
        tap_id = answer.get("ack") or answer.get("refused")
        if tap_id not in self.unanswered:
            # An answer to a resent tap comes twice; anything else is one that nobody asked for.
            self.answers_unasked += tap_id not in self.sent
            return None
        del self.unanswered[tap_id]
        if "ack" in answer:
            self.acknowledged.append(tap_id)
            return str(tap_id)
        self.refused[tap_id] = str(answer.get("why"))
        return None

    def _line(self, tap_id: str, now_s: float) -> bytes:
        self.unanswered[tap_id] = now_s
        event = {"id": tap_id, "type": "fare.tap", "data": self.sent[tap_id]}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"
