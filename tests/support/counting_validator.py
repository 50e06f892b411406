"""A fare validator that keeps books: what it sent, how often, and what was acknowledged, in which order."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

WINDOW = 16
RESEND_AFTER_S = 0.3
POLL_S = 0.005
_DIGITS_TO_LETTERS = str.maketrans("0123456789", "abcdefghij")  # no digits: a token never looks like a card number


@dataclass(slots=True)
class Tap:
    """One tap. `acknowledged_before` is how many taps had been acknowledged when it was first sent."""

    token: str
    acknowledged_before: int
    sent_count: int = 0
    sent_at: float = 0.0


class CountingValidator:
    """Taps for ever on a pseudo-terminal, from a thread, with at most 16 unanswered; sends those again, in order.

    The tap's id is its token, so that the journal tells which taps it holds. A with block runs it.
    """

    def __init__(self, link: Path, *, taps_per_s: float = 100.0, taps_max: int | None = None) -> None:
        self.id = link.name
        self.taps: dict[str, Tap] = {}
        self.acknowledged: list[str] = []
        self.refused: dict[str, str] = {}
        self.strange_answers: list[str] = []
        self.tapping = threading.Event()
        self.tapping.set()
        self._taps_max = taps_max
        self._interval_s = 1 / taps_per_s
        self._unanswered: dict[str, Tap] = {}
        self._received = b""
        self._terminal = PseudoTerminal(link)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"validator {self.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._terminal.unplug()

    @property
    def unanswered_count(self) -> int:
        """Taps that have no answer."""
        return len(self._unanswered)

    def answered_all(self) -> bool:
        """Whether it has sent all that it should, and every tap is acknowledged."""
        complete = not self.tapping.is_set() if self._taps_max is None else len(self.taps) == self._taps_max
        return complete and not self._unanswered

    def _run(self) -> None:
        next_tap_at = time.monotonic()
        while not self._ending.is_set():
            self._take(self._terminal.read(POLL_S))
            now = time.monotonic()
            self._resend(now)
            wants = self.tapping.is_set() and len(self._unanswered) < WINDOW
            if wants and now >= next_tap_at and (self._taps_max is None or len(self.taps) < self._taps_max):
                next_tap_at = max(next_tap_at + self._interval_s, now - 1)
                token = f"{self.id}-{len(self.taps):08}".translate(_DIGITS_TO_LETTERS)
                tap = self.taps[token] = self._unanswered[token] = Tap(token, len(self.acknowledged))
                self._send(tap, now, b"")

    def _resend(self, now: float) -> None:
        for tap in list(self._unanswered.values()):
            if now - tap.sent_at >= RESEND_AFTER_S:
                # The newline ends what a gateway that died may have read half.
                self._send(tap, now, b"\n")

    def _send(self, tap: Tap, now: float, before: bytes) -> None:
        tap.sent_count += 1
        tap.sent_at = now
        line = {"id": tap.token, "type": "fare.tap", "data": {"direction": "in", "token": tap.token}}
        self._terminal.write(before + json.dumps(line).encode() + b"\n")

    def _take(self, data: bytes) -> None:
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            try:
                answer = json.loads(line)
            except ValueError:
                continue  # a gateway died while it wrote this line: the tap stays unanswered
            if answer.get("ack") in self._unanswered:
                del self._unanswered[answer["ack"]]
                self.acknowledged.append(answer["ack"])
            elif answer.get("refused") is not None:
                self.refused[answer["refused"]] = answer["why"]
            elif answer.get("ack") not in self.taps and "ack" in answer:
                self.strange_answers.append(answer["ack"])
