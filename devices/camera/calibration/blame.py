"""Whether observations fit each other, and which one it is if they do not."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.adjustment import UndeterminedError, adjust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.camera.calibration.adjustment import Adjusted
    from devices.camera.calibration.observations import Observations

_NORMALISED_MAX = 4.0
"""Chance brings a right observation beyond this once in 16,000."""
_CHI_SQUARED_DEVIATIONS_MAX = 3.09
"""Chance brings right observations, all together, beyond this once in 1,000."""


class SuspectKind(enum.Enum):
    """What may be wrong: a distance, a mark's coordinates on the ground, or its place in the frame."""

    DISTANCE = enum.auto()
    COORDINATES = enum.auto()
    MARK = enum.auto()


@dataclass(frozen=True, slots=True)
class Suspect:
    """An observation without which the others fit each other.

    `expected` is what the others say of it, in metres: a distance's length, or how far off coordinates are; 0 for a
    mark's place in the frame.
    """

    kind: SuspectKind
    index: int
    expected: float
    degrees_of_freedom: int
    chi_squared: float


def fits(adjusted: Adjusted) -> bool:
    """Whether the residuals are what the stated uncertainties allow, each and all together.

    All together by the chi-squared test in the approximation of E. Wilson and M. Hilferty, PNAS 17 (1931) 684.
    """
    each = (adjusted.pixel_normalised, adjusted.coordinate_normalised, adjusted.distance_normalised)
    if any(np.nanmax(np.abs(one), initial=0.0) > _NORMALISED_MAX for one in each):
        return False
    freedom = adjusted.degrees_of_freedom
    variance = 2 / (9 * freedom) if freedom else math.inf
    bound = freedom * (1 - variance + _CHI_SQUARED_DEVIATIONS_MAX * math.sqrt(variance)) ** 3
    return adjusted.chi_squared <= bound


def blame(observed: Observations) -> list[Suspect]:
    """The observations, one at a time, without which the others fit, likeliest first; empty if no single one is it.

    Where a distance explains it, no mark at its ends is blamed, for a mark takes all its distances with it.
    """
    found = []
    for kind, index, others in _without_each(observed):
        if not len(others.ends) and np.isfinite(others.coordinates_m[:, 0]).sum() < 2:  # noqa: PLR2004 - no scale
            continue
        try:
            adjusted = adjust(others)
        except UndeterminedError:
            continue
        if adjusted.degrees_of_freedom == 0 or fits(adjusted):
            expected = _expected(observed, adjusted, kind, index)
            found.append(Suspect(kind, index, expected, adjusted.degrees_of_freedom, adjusted.chi_squared))
    with_place = {suspect.index for suspect in found if suspect.kind is SuspectKind.COORDINATES}
    found = [one for one in found if one.kind is not SuspectKind.MARK or one.index not in with_place]
    simplest = max((suspect.degrees_of_freedom for suspect in found), default=0)
    likely = [suspect for suspect in found if suspect.degrees_of_freedom == simplest]
    return sorted(likely, key=lambda suspect: suspect.chi_squared)


def _without_each(observed: Observations) -> Iterator[tuple[SuspectKind, int, Observations]]:
    for index in range(len(observed.distances_m)):
        yield SuspectKind.DISTANCE, index, _with_distances(observed, np.arange(len(observed.distances_m)) != index)
    for index in np.flatnonzero(np.isfinite(observed.coordinates_m[:, 0])).tolist():
        coordinates = observed.coordinates_m.copy()
        coordinates[index] = np.nan
        yield SuspectKind.COORDINATES, index, replace(observed, coordinates_m=coordinates)
    for index in range(len(observed.pixels)):
        yield SuspectKind.MARK, index, _without_mark(observed, index)


def _with_distances(observed: Observations, is_kept: np.typing.NDArray[np.bool_]) -> Observations:
    return replace(
        observed,
        ends=observed.ends[is_kept],
        distances_m=observed.distances_m[is_kept],
        distance_sigmas_m=observed.distance_sigmas_m[is_kept],
    )


def _without_mark(observed: Observations, index: int) -> Observations:
    rest = _with_distances(observed, (observed.ends != index).all(axis=1))
    return replace(
        rest,
        pixels=np.delete(rest.pixels, index, axis=0),
        coordinates_m=np.delete(rest.coordinates_m, index, axis=0),
        coordinate_sigmas_m=np.delete(rest.coordinate_sigmas_m, index),
        ends=rest.ends - (rest.ends > index),
    )


def _expected(observed: Observations, adjusted: Adjusted, kind: SuspectKind, index: int) -> float:
    if kind is SuspectKind.MARK:
        return 0.0
    ground = adjusted.plane.to_ground(observed.pixels)
    if kind is SuspectKind.COORDINATES:
        return math.dist(ground[index], observed.coordinates_m[index])
    one, other = observed.ends[index]
    return math.dist(ground[one], ground[other])
