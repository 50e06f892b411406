"""Whether the second act has come to its end, or never will: by the camera's gateway, and what the authority keeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from devices.camera.pipe import PLAYED
from edge.journal.reader import JournalReader
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import HEALTH

from .camera import DEVICE, SPEEDING
from .errors import DemoFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .camera import CameraPlaces

STILL_MAX_S = 60.0
FILM_MAX_S = 300.0


class FilmWatch:
    """Looks until the evidence is kept. A slow machine may take its time, as long as something moves."""

    def __init__(self, places: CameraPlaces, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._places, self._monotonic = places, monotonic
        self._said = "nothing yet"
        self._events = 0
        self._began_s = self._moved_s = monotonic()

    def is_kept(self) -> bool:
        """Whether the authority has the evidence, and the event its receipt.

        Raises DemoFailedError when the camera has seen all of its video and accuses nobody, and when nothing moves.
        """
        states = self._speeding_states()
        if self._has_kept() and states == ["receipted"]:
            return True
        if not states and PLAYED in self._said:
            raise self._failed("nobody was recorded as too fast")
        now_s = self._monotonic()
        if now_s - self._moved_s > STILL_MAX_S or now_s - self._began_s > FILM_MAX_S:
            recorded = f"the event is {states[0]}" if states else "nobody is recorded as too fast"
            raise self._failed(f"the authority has no evidence yet, {recorded}, and this machine may be too busy")
        return False

    def _failed(self, what: str) -> DemoFailedError:
        return DemoFailedError(f"{what}; the camera says: {self._said}; see {self._places.directory}")

    def _speeding_states(self) -> list[str]:
        """Of the events about who was too fast. What the camera said last of itself is kept in passing."""
        if not self._places.journal.exists():
            return []
        with JournalReader(self._places.journal) as reader:
            health = reader.newest_of(DEVICE, HEALTH)
            if health is not None:
                data = parse_event(health.statement).data
                self._said = data.get("reason") or data["state"]
            events = list(reader.events())
        if len(events) != self._events:
            self._events, self._moved_s = len(events), self._monotonic()
        return [one.state for one in events if parse_event(one.statement).type == SPEEDING]

    def _has_kept(self) -> bool:
        return self._places.kept.exists() and any(self._places.kept.iterdir())
