"""Ready-made scenes of a camera that is near enough to read plates, with people and other cars in its view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from devices.sim.camera.layout import Layout, SimLane
from devices.sim.camera.light import DAY, Light
from devices.sim.camera.motion import Motion
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import plate_text, vehicle, walkers

LIMIT_KM_H = 50.0
PLATE_POSE = Pose(width_px=1280, height_px=720, height_m=5.0, tilt_deg=14.2, focal_px=2900.0, pan_deg=-1.0, x_m=-0.5)
"""An EU plate is 100 pixels wide and more on the nearest metres; one from the Americas 60 to 80."""
PLATE_ROAD = Layout(
    (SimLane("in", -1.75, approaching=True), SimLane("out", 1.75, approaching=False)),
    count_line_m=17.0,
    speed_zone_m=(15.0, 33.0),
)


def speeding(n: int, seed: int, *, country: str = "eu", pose: Pose = PLATE_POSE, light: Light = DAY) -> Scene:
    """`n` cars come towards the camera, every second one at 70 to 95 km/h where 50 are allowed, the others at 38 to 47.

    Their `behaviour` is `speeding` or `keeps_limit`. Other cars go the other way, and people walk beside the road.
    """
    random = np.random.default_rng(seed)
    towards, away = PLATE_ROAD.lanes
    vehicles, at_s = [], 0.0
    for index in range(n):
        is_fast = index % 2 == 0
        speed = float(random.uniform(70, 95) if is_fast else random.uniform(38, 47)) / 3.6
        # A fast one must not reach the slow one before it where the camera sees them.
        at_s += 7.0 if is_fast else 3.5
        motion = Motion(speed, at_s, 85.0)
        made = vehicle(random, 2 * index + 1, towards, motion, Kind.CAR)
        behaviour = "speeding" if is_fast else "keeps_limit"
        vehicles.append(replace(made, country=country, plate=plate_text(random, country), behaviour=behaviour))
        other = Motion(float(random.uniform(36, 47)) / 3.6, at_s + float(random.uniform(-0.8, 0.8)), 40.0)
        vehicles.append(replace(vehicle(random, 2 * index + 2, away, other, Kind.CAR), behaviour="keeps_limit"))
    people = walkers(2 + n, seed, PLATE_ROAD, (20.0, 45.0))
    return Scene(PLATE_ROAD, tuple(vehicles), pose, at_s + 4.0, seed, light, bystanders=people)
