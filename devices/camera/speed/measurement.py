"""What comes of measuring a vehicle's speed: a speed with its uncertainty, or the reason why there is none."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from devices.camera.frame import ClockClass
    from devices.camera.track import Direction


class Reason(enum.StrEnum):
    """Why a track gives no speed. `SPEED.md` tells what each keeps out."""

    NO_SURVEY = "no_survey"
    TOO_FEW_POINTS = "too_few_points"
    TOO_SHORT = "too_short"
    GAP = "gap"
    CUT = "cut"
    UNEVEN = "uneven"
    ESTIMATORS_DISAGREE = "estimators_disagree"
    SPEED_CHANGES = "speed_changes"
    NOT_STRAIGHT = "not_straight"
    NOT_ALONE = "not_alone"
    TOO_UNCERTAIN = "too_uncertain"


class Refusal(NamedTuple):
    """No speed: a doubtful track is refused, not guessed."""

    reason: Reason


class Measurement(NamedTuple):
    """A vehicle's mean speed in the zone.

    `uncertainty_m_s` is expanded (k = 2). `points` were used, over `span_m` of road; `residual_m` is how far they lie
    from steady motion along it (1.4826 times the median absolute deviation, which is a standard deviation where the
    deviations are normal). Passages may tell it by any clock; a violation rests on it only if the clock
    `is_enforceable`.
    """

    speed_m_s: float
    uncertainty_m_s: float
    points: int
    residual_m: float
    span_m: float
    direction: Direction
    clock: ClockClass

    @property
    def is_enforceable(self) -> bool:
        """Whether its time is the camera's, not the network's."""
        return self.clock.is_enforceable
