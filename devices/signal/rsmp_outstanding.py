"""Messages whose readings are not all recorded yet: only then is a message acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from devices.driver import Recorded, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.driver import Reading

Token = TypeVar("Token")


@dataclass(slots=True)
class _Waiting(Generic[Token]):
    token: Token
    count: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Settled(Generic[Token]):
    """All readings of a message have their outcome. `refused`: why one of them was not recorded, or empty."""

    token: Token
    refused: str


class Outstanding(Generic[Token]):
    """Follows messages by a token of the caller's; as many as the caller has readings unanswered."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[_Waiting[Token]]] = {}

    def add(self, token: Token, readings: Iterable[Reading]) -> None:
        """A message gave these readings, each with an id. Without any it is nothing to follow."""
        ids = [reading.id or "" for reading in readings]
        waiting = _Waiting(token, len(ids))
        for one in ids:
            self._waiting.setdefault(one, deque()).append(waiting)

    def answered(self, reading: Reading, outcome: Recorded | Refused) -> Settled[Token] | None:
        """Note an outcome; gives the message that has all of its outcomes now. None also for what is not known."""
        queue = self._waiting.get(reading.id or "")
        if not queue:
            return None
        waiting = queue.popleft()
        if not queue:
            del self._waiting[reading.id or ""]
        waiting.count -= 1
        if isinstance(outcome, Refused):
            waiting.refused = outcome.why
        return None if waiting.count else Settled(waiting.token, waiting.refused)
