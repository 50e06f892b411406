"""What truly happens on a scene's road, and when, in the words of the events that a gateway makes of it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.sim.camera.signal_plan import LampState

if TYPE_CHECKING:
    from devices.sim.camera.road_user import RoadUser
    from devices.sim.camera.scene import LineCrossing, Scene

_STEP_S = 0.01
_KM_H_IN_MM_S = 1_000_000 / 3600


class Passing(NamedTuple):
    """At `t_s` of the scene: an event of the type `kind`, as the road knows it."""

    t_s: float
    kind: str
    data: dict[str, Any]


def passings(scene: Scene, limit_km_h: float | None) -> list[Passing]:
    """All of them, in order of time.

    `vehicle.passage`: the end that the camera sees passes the count line (lane, direction, class). `vehicle.speeding`,
    where there is a limit: that end leaves the speed zone (lane, limit_mm_s rounded up, and speed_mm_s over the zone).
    `vehicle.red_light`: a front passes the stop line in red, and the whole vehicle the second line in the same red; at
    the front's time (lane).
    """
    vehicles = {user.number: user for user in scene.vehicles}
    lines: dict[tuple[int, str], LineCrossing] = {(one.number, one.line): one for one in scene.crossings()}
    found = []
    for (number, line), crossing in lines.items():
        user = vehicles[number]
        seen_s = crossing.front_s if scene.layout.lane(user.lane).approaching else crossing.rear_s
        if line == "count_line" and seen_s is not None:
            found.append(Passing(seen_s, "vehicle.passage", _passage(scene, user)))
        if line == "stop_line" and _runs_red(scene, crossing, lines.get((number, "second_line"))):
            assert crossing.front_s is not None, "it passed in red"
            found.append(Passing(crossing.front_s, "vehicle.red_light", {"lane": crossing.lane}))
    if limit_km_h is not None:
        found += [one for user in scene.vehicles if (one := _speeding(scene, user, limit_km_h)) is not None]
    return sorted(found, key=lambda one: one.t_s)


def _passage(scene: Scene, user: RoadUser) -> dict[str, Any]:
    direction = "approaching" if scene.layout.lane(user.lane).approaching else "departing"
    return {"lane": user.lane, "direction": direction, "class": user.vehicle_class}


def _runs_red(scene: Scene, first: LineCrossing, second: LineCrossing | None) -> bool:
    plan = scene.signal
    if plan is None or not scene.layout.lane(first.lane).is_signalled or second is None:
        return False
    times = (first.front_s, second.front_s, second.rear_s)
    return any(
        all(at_s is not None and since_s <= at_s < until_s for at_s in times)
        for since_s, until_s in plan.spans(LampState.RED, scene.duration_s)
    )


def _speeding(scene: Scene, user: RoadUser, limit_km_h: float) -> Passing | None:
    """Over the zone of its lane; None for who keeps to the limit, or does not go all through it within the scene."""
    zone = scene.layout.speed_zone_m
    steps = range(round(scene.duration_s / _STEP_S))
    inside = [step * _STEP_S for step in steps if zone[0] <= scene.contact_m(user.number, step * _STEP_S)[1] <= zone[1]]
    if len(inside) < 2 or inside[0] == 0 or inside[-1] + _STEP_S >= scene.duration_s:  # noqa: PLR2004 - from, to
        return None
    enters_s, leaves_s = inside[0], inside[-1]
    metres = abs(scene.contact_m(user.number, leaves_s)[1] - scene.contact_m(user.number, enters_s)[1])
    speed_mm_s = 1000 * metres / (leaves_s - enters_s)
    if speed_mm_s <= limit_km_h * _KM_H_IN_MM_S:
        return None
    data = {"lane": user.lane, "speed_mm_s": round(speed_mm_s), "limit_mm_s": ceil(limit_km_h * _KM_H_IN_MM_S)}
    return Passing(leaves_s, "vehicle.speeding", data)
