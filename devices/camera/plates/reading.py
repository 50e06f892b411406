"""What was read on a plate, and how surely."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOOK_ALIKES = (("0", "O"), ("1", "I"))
"""Drawn alike on the plates of many countries: what stands where is the syntax's to say."""
_FOLDED = str.maketrans({letter: pair[0] for pair in LOOK_ALIKES for letter in pair})

UNSEEN = -4.0
"""The least logarithm that one picture may give a text: one that cut off a character is outvoted by the others."""
_SYNTAX_WEIGHT = 0.5
_MARGIN_WEIGHT = 1 / 3
_MARGIN_MAX = 5.0
_SLOPE, _EVEN = 1.35, -0.95
"""Of the logistic function from sureness to confidence: J. Platt, Probabilistic Outputs for Support Vector Machines,
1999, with his smoothed targets, fitted on photographs as they are, smaller, blurred, darker, turned and compressed."""

PUBLISH_CONFIDENCE = 0.92
"""Below it a plate counts as not read. It is for the top of the scale that the logistic is too modest: of what it
lets through, 1 in 100 of those spoiled photographs was wrong, and none of those as they were (PLATES.md)."""


class Likelihood(NamedTuple):
    """Natural logarithms: how probable the pictures make a text, mean of all, and what its syntax adds."""

    pictures: float
    syntax: float

    @property
    def total(self) -> float:
        """What texts are compared by."""
        return self.pictures + self.syntax


@dataclass(frozen=True, slots=True)
class PlateReading:
    """One plate, in one picture or voted on over several.

    `text` has digits and letters only. `confidence`: how probably it is right, 0 to 1. `candidates`: all texts that
    were considered. `corners`: top left, top right, bottom right, bottom left, in pixels of the picture (of the
    widest plate of several pictures); `width_px` is between them. A plate is personal data: no repr shows its text.
    """

    text: str = field(repr=False)
    confidence: float
    candidates: Mapping[str, Likelihood] = field(repr=False)
    corners: tuple[tuple[float, float], ...]
    width_px: float

    @property
    def is_published(self) -> bool:
        """Whether it is sure enough for an event that costs somebody money."""
        return self.confidence >= PUBLISH_CONFIDENCE


def combined(pictures: Sequence[Mapping[str, Likelihood]]) -> dict[str, Likelihood]:
    """Every text that any picture was considered to show, with its mean likelihood over all."""
    syntax = {text: likelihood.syntax for one in pictures for text, likelihood in one.items()}
    return {
        text: Likelihood(sum(one[text].pictures if text in one else UNSEEN for one in pictures) / len(pictures), term)
        for text, term in syntax.items()
    }


def best_text(candidates: Mapping[str, Likelihood]) -> tuple[str, float]:
    """The likeliest text, and the confidence in it. At least one candidate.

    Sure is what the pictures make probable by itself, what plates here look like, and what leads by far on the next
    text that does not look alike.
    """
    text, best = max(candidates.items(), key=lambda item: item[1].total)
    look = text.translate(_FOLDED)
    rivals = (other.total for rival, other in candidates.items() if rival.translate(_FOLDED) != look)
    margin = min(_MARGIN_MAX, best.total - max(rivals, default=-math.inf))
    sureness = best.pictures + _SYNTAX_WEIGHT * best.syntax + _MARGIN_WEIGHT * margin
    return text, 1 / (1 + math.exp(-_SLOPE * (sureness - _EVEN)))
