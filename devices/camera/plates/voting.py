"""One plate from several pictures of the same vehicle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from devices.camera.plates.reading import best_text, combined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.plates.reading import PlateReading


def vote(readings: Sequence[PlateReading]) -> PlateReading | None:
    """What the pictures read together; None if there is none.

    A text counts with its mean likelihood, so that pictures which agree make a plate no surer than they are, and one
    which contradicts makes it doubtful: neighbouring pictures fail alike, and a second plate may have come into view.
    """
    if not readings:
        return None
    candidates = combined([reading.candidates for reading in readings])
    text, confidence = best_text(candidates)
    widest = max(readings, key=lambda reading: reading.width_px)
    return replace(widest, text=text, confidence=confidence, candidates=candidates)
