"""A simulated device that says one JSON object a line, and keeps each until it is answered."""

from __future__ import annotations

import abc
import json
import random
from dataclasses import dataclass, field
from typing import Any, ClassVar

RESEND_AFTER_S = 2.0
_ANSWER_BYTES_MAX = 4096
_PSEUDONYM_LETTERS = "abcdefghjkmnpqrstuvwxyz"  # no digits: a pseudonym never looks like a card number


@dataclass
class LineDevice(abc.ABC):
    """The device side of the line protocol (DESIGN 11), without its wire and clock.

    `run` makes its ids differ from those of another run. What it said is in exactly one of `unanswered`, `acknowledged`
    and `refused`; `sent` holds all, by id.
    """

    seed: int
    run: str
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    unanswered: dict[str, float] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    answers_unasked: int = 0

    event: ClassVar[str]
    """The type of what it says."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._received = b""

    @abc.abstractmethod
    def next_data(self) -> dict[str, Any]:
        """What it says next: the event's data."""

    def say(self, now_s: float) -> bytes:
        """Something happens at `now_s` (monotonic seconds): the line to send."""
        line_id = f"{self.run}-{len(self.sent) + 1}"
        self.sent[line_id] = self.next_data()
        return self._line(line_id, now_s)

    def resend(self, now_s: float) -> list[bytes]:
        """The lines that were sent 2 s ago or earlier and have no answer."""
        overdue = [line_id for line_id, at in self.unanswered.items() if now_s - at >= RESEND_AFTER_S]
        return [self._line(line_id, now_s) for line_id in overdue]

    def receive(self, data: bytes) -> list[str]:
        """Take bytes from the gateway; give the ids that are acknowledged by them for the first time."""
        *lines, rest = (self._received + data).split(b"\n")
        self._received = rest[-_ANSWER_BYTES_MAX:]
        return [line_id for line in lines if (line_id := self._answer(line)) is not None]

    def pseudonym(self) -> str:
        """A token of its own for a card or a car."""
        return "".join(self._random.choices(_PSEUDONYM_LETTERS, k=16))

    def _answer(self, line: bytes) -> str | None:
        try:
            answer = json.loads(line)
        except ValueError:
            answer = {}
        line_id = answer.get("ack") or answer.get("refused")
        if line_id not in self.unanswered:
            # An answer to what was sent again comes twice; anything else is one that nobody asked for.
            self.answers_unasked += line_id not in self.sent
            return None
        del self.unanswered[line_id]
        if "ack" in answer:
            self.acknowledged.append(line_id)
            return str(line_id)
        self.refused[line_id] = str(answer.get("why"))
        return None

    def _line(self, line_id: str, now_s: float) -> bytes:
        self.unanswered[line_id] = now_s
        event = {"id": line_id, "type": self.event, "data": self.sent[line_id]}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"
