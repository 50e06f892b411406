"""From a calibration file's marks and distances to the road, refusing what the stated uncertainties do not allow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.adjustment import NOTICEABLE, Adjusted, UndeterminedError, adjust
from devices.camera.calibration.blame import Suspect, SuspectKind, blame, fits
from devices.camera.calibration.ground_plane import COVERAGE_FACTOR
from devices.camera.calibration.observations import Observations

if TYPE_CHECKING:
    from devices.camera.calibration.calibration_file import CalibrationTable
    from ledger_sync.proof.settings import Problems

_SUSPECTS_TOLD = 3
_RELATIVE_UNCERTAINTY_MAX = 0.1
_UNNOTICED_SHARE_MAX = 0.1
_NARROW_SIGMAS_MIN = 5.0
_SPREAD = "spread the marks over both sides of the road, near and far"


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """An adjusted survey: what `wayside camera calibrate` prints of it stands in `adjusted`."""

    table: CalibrationTable
    adjusted: Adjusted


def observations(table: CalibrationTable) -> Observations:
    """The numbers of a file whose names are consistent."""
    index = {point.name: at for at, point in enumerate(table.point)}
    coordinates = [(math.nan, math.nan) if p.x_m is None or p.y_m is None else (p.x_m, p.y_m) for p in table.point]
    return Observations(
        frame_size=(table.frame.width_px, table.frame.height_px),
        pixels=np.array([(point.x_px, point.y_px) for point in table.point]),
        sigma_px=table.sigma_px,
        coordinates_m=np.array(coordinates),
        coordinate_sigmas_m=np.array([point.uncertainty_m for point in table.point]) / COVERAGE_FACTOR,
        ends=np.array([(index[one.start], index[one.end]) for one in table.distance], dtype=np.intp),
        distances_m=np.array([one.metres for one in table.distance]),
        distance_sigmas_m=np.array([one.uncertainty_m for one in table.distance]) / COVERAGE_FACTOR,
    )


def survey(table: CalibrationTable, problems: Problems) -> Survey | None:
    """The adjusted survey of a file whose names are consistent, or None when `problems` was added to."""
    if not _is_spread(table, problems) or not _is_determined(table, problems):
        return None
    observed = observations(table)
    try:
        adjusted = adjust(observed)
    except UndeterminedError as error:
        if suspects := blame(observed):
            _tell_misfit(table, suspects, problems)
        else:
            problems.add("point", f"{error}; measure more distances, and {_SPREAD}")
        return None
    if not fits(adjusted):
        suspects = blame(observed)
        if len(suspects) != 1:  # in a weak layout everything is suspect
            _check_strength(table, adjusted, problems)
        if not problems:
            _tell_misfit(table, suspects, problems)
        return None
    _check_strength(table, adjusted, problems)
    return None if problems else Survey(table, adjusted)


def longest(adjusted: Adjusted) -> tuple[int, int]:
    """The two marks that are farthest apart on the road."""
    spread = np.linalg.norm(adjusted.ground[:, None] - adjusted.ground[None], axis=2)
    one, other = np.unravel_index(int(spread.argmax()), spread.shape)
    return int(one), int(other)


def noticeable_mistakes_m(table: CalibrationTable, adjusted: Adjusted) -> list[float]:
    """For each distance the smallest mistake in it that the rest of the survey would show, in metres."""
    pairs = zip(table.distance, adjusted.distance_redundancies, strict=True)
    return [NOTICEABLE * one.uncertainty_m / COVERAGE_FACTOR / math.sqrt(max(share, 1e-12)) for one, share in pairs]


def _is_determined(table: CalibrationTable, problems: Problems) -> bool:
    coordinates = sum(point.x_m is not None for point in table.point)
    needed = 9 - max(0, 3 - 2 * coordinates)
    measured = {name for one in table.distance for name in (one.start, one.end)}
    for at, point in enumerate(table.point):
        if point.x_m is None and point.name not in measured:
            problems.add(f"point[{at}]", f"nothing was measured to mark {point.name}; measure a distance, or remove it")
    if 2 * coordinates + len(table.distance) < needed:
        problems.add(
            "distance",
            f"{len(table.distance)} distances and {coordinates} surveyed points do not determine the road and check "
            f"each other; measure {needed - 2 * coordinates} distances or more (of four marks all sides and diagonals)",
        )
    return not problems


def _tell_misfit(table: CalibrationTable, suspects: list[Suspect], problems: Problems) -> None:
    if not suspects:
        problems.add(
            "distance",
            "the marks and distances contradict each other, and leaving out no single one mends it; check which mark "
            "is which, measure again, or state uncertainties that are true",
        )
        return
    told = [_sentence(table, suspect) for suspect in suspects[:_SUSPECTS_TOLD]]
    place, sentence, mend = told[0]
    others = (
        f" (it may also be that {'; or '.join(f'{place}: {why}' for place, why, _ in told[1:])})" if told[1:] else ""
    )
    problems.add(place, f"{sentence}{others}; {mend}")


def _sentence(table: CalibrationTable, suspect: Suspect) -> tuple[str, str, str]:
    """Place, what is wrong, and the mend."""
    if suspect.kind is SuspectKind.DISTANCE:
        one = table.distance[suspect.index]
        return (
            f"distance[{suspect.index}]",
            f"{one.start} to {one.end} is {one.metres:.3f} m, but {suspect.expected:.2f} m by all the others",
            "measure it again",
        )
    point = table.point[suspect.index]
    if suspect.kind is SuspectKind.COORDINATES:
        return (
            f"point[{suspect.index}]",
            f"mark {point.name} is {suspect.expected:.2f} m from where all the others put it on the ground",
            "check x_m and y_m, and where it was clicked",
        )
    return (
        f"point[{suspect.index}]",
        f"mark {point.name} does not fit all the others",
        "check x_px and y_px, and that it is the mark that was measured",
    )


def _is_spread(table: CalibrationTable, problems: Problems) -> bool:
    pixels = np.array([(point.x_px, point.y_px) for point in table.point])
    narrow_px = float(np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)[1]) / math.sqrt(len(pixels))
    if narrow_px < _NARROW_SIGMAS_MIN * table.sigma_px:
        problems.add("point", f"the marks lie on a line in the frame, to {narrow_px:.1f} px; {_SPREAD}")
        return False
    return True


def _check_strength(table: CalibrationTable, adjusted: Adjusted, problems: Problems) -> None:
    """Along the longest line between marks, and across it in their middle."""
    one, other = longest(adjusted)
    names = " to ".join(table.point[at].name for at in (one, other))
    start, end = adjusted.ground[[one, other]]
    middle = adjusted.ground.mean(axis=0)
    across = np.array([start[1] - end[1], end[0] - start[0]]) / math.dist(start, end)
    for place, ends in ((names, (start, end)), (f"what lies across {names}", (middle - across, middle + across))):
        length = math.dist(*ends)
        share = adjusted.plane.length_uncertainty(*ends) / length
        if share > _RELATIVE_UNCERTAINTY_MAX:
            problems.add("point", f"{place} is known to {min(share, 1.0):.0%} only; {_SPREAD}")
            return
        share = float(np.abs(adjusted.unnoticed @ adjusted.plane.length_by_entries(*ends)).max()) / length
        if share > _UNNOTICED_SHARE_MAX:
            problems.add(
                "point",
                f"one wrong click or measurement could change {place} by {min(share, 1.0):.0%} and nothing would show "
                f"it; survey more marks and distances, and {_SPREAD}",
            )
            return
