"""Ready-made scenes of free and of queueing traffic, of which the true counts and speeds are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from devices.sim.camera.layout import Layout, Pole, SimLane
from devices.sim.camera.light import DAY, Light
from devices.sim.camera.motion import AWAY_RAD, TOWARDS_RAD, Motion, Path, Phase, Place
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Knock, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = (
    (225, 225, 225),
    (40, 40, 42),
    (150, 150, 150),
    (90, 60, 40),
    (40, 40, 150),
    (120, 70, 30),
    (70, 90, 70),
    (190, 200, 205),
)
_KINDS = (Kind.CAR, Kind.VAN, Kind.TRUCK, Kind.BUS, Kind.TWO_WHEELER)
_SHARES = (0.72, 0.10, 0.08, 0.03, 0.07)
_COUNTRIES = ("eu", "us", "br")
_FAR_M = 110.0

TWO_WAY = Layout(
    (SimLane("in", -1.75, approaching=True), SimLane("out", 1.75, approaching=False)), poles=(Pole(5.0, 19.0),)
)
FOUR_LANES = Layout(
    (
        SimLane("in-2", -5.25, approaching=True),
        SimLane("in-1", -1.75, approaching=True),
        SimLane("out-1", 1.75, approaching=False),
        SimLane("out-2", 5.25, approaching=False),
    ),
)
OVERVIEW = Pose(width_px=640, height_px=360, height_m=6.5, tilt_deg=15.0, focal_px=560.0)
"""A whole road in a sub-stream's frame."""
MAST = Pose(width_px=640, height_px=360, height_m=10.0, tilt_deg=28.0, focal_px=560.0)
"""As high as a street lamp: the road between two vehicles of a queue is seen."""


def plate_text(random: np.random.Generator, country: str) -> str:
    """A plate as the country numbers them."""
    characters = {"A": "ABCDEFGHJKLMNPRSTUVWXYZ", "0": "0123456789", " ": " "}
    pattern = {"eu": "AA 000 AA", "us": "AAA 0000", "br": "AAA0A00"}[country]
    return "".join(str(random.choice(list(characters[place]))) for place in pattern)


def vehicle(
    random: np.random.Generator, number: int, lane: SimLane, motion: Motion, kind: Kind | None = None
) -> RoadUser:
    """A vehicle of random look in the middle, or nearly, of a lane; its path begins out of sight on either end."""
    kind = kind or Kind(str(random.choice([str(one) for one in _KINDS], p=_SHARES)))
    x = lane.centre_x_m + float(random.normal(0, 0.15))
    start = Place(x, _FAR_M, TOWARDS_RAD) if lane.approaching else Place(x, -15.0, AWAY_RAD)
    country = str(random.choice(list(_COUNTRIES)))
    return RoadUser(
        number=number,
        kind=kind,
        path=Path(start),
        motion=motion,
        lane=lane.id,
        colour=COLOURS[int(random.integers(len(COLOURS)))],
        plate=plate_text(random, country) if kind is not Kind.TWO_WHEELER else "",
        country=country,
    )


def free_flow(
    n: int,
    seed: int,
    *,
    layout: Layout = TWO_WAY,
    pose: Pose = OVERVIEW,
    light: Light = DAY,
    speeds_km_h: tuple[float, float] = (30.0, 90.0),
    headway_s: float = 3.0,
    kinds: Sequence[Kind] = (),
) -> Scene:
    """`n` vehicles in turn on the layout's lanes, each at a constant speed, none overtaking another in its lane.

    `headway_s`: the least time between two in one lane, anywhere in view. `kinds`: in turn, random where empty.
    """
    random = np.random.default_rng(seed)
    free_at = {lane.id: (0.0, 0.0) for lane in layout.lanes}
    vehicles = []
    for index in range(n):
        lane = layout.lanes[index % len(layout.lanes)]
        speed = float(random.uniform(*speeds_km_h)) / 3.6
        in_free, out_free = free_at[lane.id]
        # Neither where it comes into the path nor where it leaves may it be nearer to the one before than the headway.
        passage_s = (_FAR_M + 15.0) / speed
        start = max(in_free, out_free - passage_s) + headway_s + float(random.exponential(1.0))
        free_at[lane.id] = (start + 6.0 / speed, start + passage_s + 6.0 / speed)
        kind = kinds[index % len(kinds)] if kinds else None
        vehicles.append(vehicle(random, index + 1, lane, Motion(speed, start), kind))
    duration_s = max(out for _, out in free_at.values()) + 3.0
    return Scene(layout, tuple(vehicles), pose, duration_s, seed, light)


def queue(n: int, seed: int, *, layout: Layout = TWO_WAY, pose: Pose = OVERVIEW, light: Light = DAY) -> Scene:
    """`n` vehicles in dense stop-and-go traffic, in turn on the layout's lanes, 1.5 m apart when they stand.

    They come into view: out of the distance, or from below the camera.
    """
    random = np.random.default_rng(seed)
    creep = (Phase(4.0, 0.9), Phase(4.0, 0.0), Phase(3.0, -1.2), Phase(float(random.uniform(3, 6)), 0.0))
    began_m = {lane.id: 20.0 if lane.approaching else 0.0 for lane in layout.lanes}
    leaders = {lane: Motion(0.0, 1.0, metres, creep * (n + 4)) for lane, metres in began_m.items()}
    rear = dict.fromkeys(leaders, 0.0)
    vehicles = []
    for index in range(n):
        lane = layout.lanes[index % len(layout.lanes)]
        made = vehicle(random, index + 1, lane, leaders[lane.id])
        half = made.kind.size.length_m / 2
        if rear[lane.id]:
            leaders[lane.id] = leaders[lane.id].followed(1.1, rear[lane.id] + 1.5 + half)
        rear[lane.id] = half
        vehicles.append(replace(made, motion=leaders[lane.id]))
    passed = max(one.motion.time_at(_FAR_M + 15.0) for one in vehicles)
    return Scene(layout, tuple(vehicles), pose, passed, seed, light)


def knocked(scene: Scene, t_s: float, *, pan_deg: float = 1.5, tilt_deg: float = 0.8) -> Scene:
    """The same, but something knocks the camera round at `t_s`."""
    pose = replace(scene.pose, pan_deg=scene.pose.pan_deg + pan_deg, tilt_deg=scene.pose.tilt_deg + tilt_deg)
    return replace(scene, knock=Knock(t_s, pose))


def walkers(n: int, seed: int, layout: Layout, y_m: tuple[float, float] = (12.0, 30.0)) -> tuple[RoadUser, ...]:
    """Pedestrians on the pavements, going along the road; at 0 s they are somewhere within `y_m`."""
    random = np.random.default_rng(seed)
    low, high = layout.edges_m
    found = []
    for index in range(n):
        x = float(random.choice([low - 1.4, high + 1.4]))
        heading = float(random.choice([AWAY_RAD, TOWARDS_RAD]))
        path = Path(Place(x, float(random.uniform(*y_m)), heading))
        colour = COLOURS[int(random.integers(len(COLOURS)))]
        found.append(RoadUser(1001 + index, Kind.PEDESTRIAN, path, Motion(1.3), colour=colour))
    return tuple(found)
