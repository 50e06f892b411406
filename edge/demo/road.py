"""The stretch of road that the demo's camera looks at: a rendered video, its calibration, and what is true of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.confirmation import confirm_view
from devices.camera.calibration.view_reference import view_file
from devices.sim.camera.layout import Layout, SimLane
from devices.sim.camera.motion import Motion
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import plate_text, vehicle, walkers
from devices.sim.camera.video import write_video

if TYPE_CHECKING:
    from pathlib import Path

VIDEO, CALIBRATION = "road.mp4", "road.toml"
LIMIT_KM_H = 50
FPS = 25.0
_DURATION_S = 6.0
_ENTERS_S = 3.0
"""The camera sees the empty road before: what it does not know it cannot tell a vehicle from."""
_SPEEDS_KM_H = (66, 94)
_CONFIRM_EVERY_S = 0.5
_ROAD = Layout(
    (SimLane("in", -1.75, approaching=True),),
    count_line_m=21.0,
    speed_zone_m=(20.0, 36.0),
)
_POSE = Pose(width_px=1280, height_px=720, height_m=5.0, tilt_deg=9.8, focal_px=3850.0, pan_deg=-1.0, x_m=-0.5)
"""Near enough to read a plate (100 px at 20 m), wide enough to see a whole car over 16 m of road."""


@dataclass(frozen=True, slots=True)
class Road:
    """What is true: the one car's speed, and its plate."""

    speed_km_h: float
    plate: str


def lay_road(folder: Path) -> Road:
    """Render the video, survey the road, confirm the view: what a technician does, and some seconds of work."""
    cv2.setNumThreads(1)
    seed = random.SystemRandom().randrange(1 << 31)
    chance = np.random.default_rng(seed)
    speed_km_h = float(chance.uniform(*_SPEEDS_KM_H))
    plate = plate_text(chance, "eu")
    car = vehicle(chance, 1, _ROAD.lanes[0], Motion(speed_km_h / 3.6, _ENTERS_S, 85.0), Kind.CAR)
    car = replace(car, country="eu", plate=plate)
    # From the other pavement a walker's shadow falls on the lane, and a car that is not seen apart is not measured.
    walking = [one for one in walkers(12, seed, _ROAD, (22.0, 40.0)) if one.path.start.x_m > 0]
    scene = Scene(_ROAD, (car,), _POSE, _DURATION_S, seed, bystanders=tuple(walking[:2]))
    folder.mkdir()
    write_video(scene, folder / VIDEO, FPS)
    calibration = folder / CALIBRATION
    calibration.write_text(scene.calibration_toml())
    seen = (scene.render(at_s) for at_s in np.arange(0.0, _DURATION_S, _CONFIRM_EVERY_S))
    confirm_view(list(seen), load_calibration(calibration).sha256).save(view_file(calibration))
    return Road(speed_km_h, plate)
