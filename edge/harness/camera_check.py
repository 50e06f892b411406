"""What a camera told, held against what happened on its road.

Violations are matched one by one: each that was told happened, in that lane, at that time, and at most once, and its
speed is within the uncertainty that the event states. That one was not told is no mistake, as what a camera doubts it
does not tell. Counting is no exact measurement: it is held by totals of lanes, to a stated tolerance.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from .lane_totals import lane_totals
from .verdict import DeviceVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .gaps import Gap
    from .truth import Said
    from .verdict import Recorded

TAKEN_S = 1.5
"""How far the time that an event states may be from the true one: a second is what a stream may be late by default."""
PASSAGE_S = 12.0
"""How long after it a measured passage is told at most: it leaves the zone, and the stream's clock is proven."""
_KINDS = ("vehicle.passage", "vehicle.speeding", "vehicle.red_light")


def is_of_a_camera(truth: Sequence[Said], recorded: Sequence[Recorded]) -> bool:
    """Whether it is about vehicles on a road."""
    types = {one.type for one in truth} | {one.type for one in recorded}
    return any(one.startswith("vehicle.") for one in types)


def check_camera(
    device: str, truth: Sequence[Said], recorded: Sequence[Recorded], gaps: Sequence[Gap]
) -> DeviceVerdict:
    """The verdict of one camera; its `notes` tell what was seen of what happened."""
    finite = [(begin, end) for begin, end in gaps if math.isfinite(begin) and math.isfinite(end)]
    verdict = DeviceVerdict(device, len(truth), len(recorded), gap_s=sum(end - begin for begin, end in finite))
    if truth and not recorded:
        verdict.problems.append(f"nothing of the {len(truth)} things that happened is in the journal")
    for kind in _KINDS:
        _match([one for one in truth if one.type == kind], [one for one in recorded if one.type == kind], verdict)
    passages = [one for one in truth if one.type == "vehicle.passage"]
    for lane in lane_totals(passages, [one for one in recorded if one.type == "vehicle.count"], gaps):
        verdict.in_gaps += lane.in_gaps
        verdict.notes.append(lane.sentence())
        if not lane.holds:
            verdict.problems.append(lane.sentence())
        if lane.untold:
            verdict.problems.append(
                f"lane {lane.lane}: {lane.untold} passed in no interval that was told, and no gap is declared there"
            )
    return verdict


def _match(truth: Sequence[Said], recorded: Sequence[Recorded], verdict: DeviceVerdict) -> None:
    """Each event is the nearest of those that happened and that it may be; no two are the same one."""
    told: set[int] = set()
    for event in recorded:
        may_be = sorted((one for one in truth if _is_it(one, event)), key=partial(_apart_s, event))
        found = next((one for one in may_be if one.number not in told), None)
        if found is None:
            what = "is in the journal twice" if may_be else "never happened"
            verdict.problems.append(f"event {event.sequence} ({event.type}) {what}: {_shown(event)}")
            continue
        told.add(found.number)
        wrong = _wrong_speed(found, event)
        if wrong:
            verdict.problems.append(f"event {event.sequence} ({event.type}) {wrong}: {_shown(event)}")
    if truth and (recorded or truth[0].type != "vehicle.passage"):
        verdict.notes.append(f"{truth[0].type}: {len(truth)} happened, {len(told)} of them told")


def _is_it(said: Said, event: Recorded) -> bool:
    if any(said.data[key] != event.data[key] for key in ("lane", "direction") if key in said.data):
        return False
    if event.type == "vehicle.passage":
        return 0 <= event.at - said.at + TAKEN_S <= PASSAGE_S
    return _apart_s(event, said) <= TAKEN_S


def _apart_s(event: Recorded, said: Said) -> float:
    at = event.data["taken_us"] / 1_000_000 if "taken_us" in event.data else event.at
    return abs(float(at) - said.at)


def _wrong_speed(said: Said, event: Recorded) -> str | None:
    data: dict[str, Any] = {**event.data}
    true_mm_s = said.data.get("speed_mm_s")
    if true_mm_s is None or "speed_mm_s" not in data:
        return None
    if abs(data["speed_mm_s"] - true_mm_s) > data["uncertainty_mm_s"]:
        return f"is off by more than its uncertainty, as it went {true_mm_s} mm/s"
    if data.get("limit_mm_s") != said.data.get("limit_mm_s"):
        return f"names another limit than {said.data.get('limit_mm_s')} mm/s"
    return None


def _shown(event: Recorded) -> str:
    keys = ("lane", "direction", "taken_us", "speed_mm_s", "uncertainty_mm_s", "limit_mm_s", "red_ms")
    return ", ".join(f"{key} {event.data[key]}" for key in keys if key in event.data)
