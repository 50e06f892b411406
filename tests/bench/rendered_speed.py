"""Rendered traffic, driven through calibration, tracker and estimator: what is published of vehicles of known speed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.confirmation import confirm_view
from devices.camera.calibration.view_watch import MOVED_PX, ViewState, ViewWatch
from devices.camera.frame import ClockClass, Frame
from devices.camera.speed.measure import measure
from devices.camera.speed.measurement import Measurement
from devices.camera.vehicles.tracker import VehicleTracker
from devices.sim.camera.light import DAY, NIGHT, OVERCAST, RAIN, Light
from devices.sim.camera.pose import Pose
from devices.sim.camera.scene import Scene
from devices.sim.camera.survey import SurveyError
from devices.sim.camera.traffic import TWO_WAY, free_flow, knocked
from devices.sim.camera.video import StreamFaults, capture_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.calibration.view_reference import ViewReference
    from devices.camera.speed.measurement import Refusal
    from devices.camera.track import Track, TrackPoint
    from devices.sim.camera.road_user import RoadUser

KM_H = 3.6
FRAMES_PER_S = 15.0
SPEED_SITE = Pose(width_px=640, height_px=360, height_m=7.0, tilt_deg=15.0, focal_px=900.0)
"""A speed camera's lens: 20 m of two lanes fill the frame of its sub-stream."""
LAYOUT = replace(TWO_WAY, poles=(), speed_zone_m=(18.0, 40.0), count_line_m=25.0)
_SURVEY = SurveyError(pixel_px=0.7, ground_m=0.01)
_NEW_EPOCH_S = 1.0
"""A source opens a stream anew when no frame came for so long."""
_CHECK_US = 1_000_000
_NO_FAULTS = StreamFaults()


@dataclass(frozen=True)
class Case:
    """One scene and what happens to its stream.

    `stamp_s`: standard deviation of the error in presentation times; `knock_s`: when the camera is knocked round.
    """

    name: str
    light: Light = DAY
    faults: StreamFaults = _NO_FAULTS
    stamp_s: float = 0.0
    knock_s: float | None = None
    vehicles: int = 20
    seed: int = 1
    speeds_km_h: tuple[float, float] = (30.0, 120.0)

    @property
    def scene(self) -> Scene:
        """Free flow in both directions."""
        scene = free_flow(
            self.vehicles, self.seed, layout=LAYOUT, pose=SPEED_SITE, light=self.light, speeds_km_h=self.speeds_km_h
        )
        return scene if self.knock_s is None else knocked(scene, self.knock_s)


CASES = (
    Case("day", seed=11, vehicles=30),
    Case("overcast", OVERCAST, seed=12),
    Case("night", NIGHT, seed=13),
    Case("rain", RAIN, seed=14),
    Case("a tenth of frames lost", faults=StreamFaults(drop=0.1), seed=15),
    Case("jitter", OVERCAST, StreamFaults(jitter_s=0.01), stamp_s=0.003, seed=16),
    Case("freezes", faults=StreamFaults(freezes=((9.0, 9.4), (16.0, 18.5), (26.0, 29.0), (37.0, 37.3))), seed=17),
    Case("a tenth lost at night", NIGHT, StreamFaults(drop=0.1), seed=18),
    Case("a knock", knock_s=30.0, seed=19),
)


class Outcome(NamedTuple):
    """What was said of one vehicle: the measurements published, why others were not, and how many the view stopped."""

    true_km_h: float
    published: tuple[Measurement, ...]
    refused: tuple[Refusal, ...]
    stopped: int


class Check(NamedTuple):
    """What the view's watch said of a frame."""

    presentation_us: int
    is_confirmed: bool


@dataclass
class Rendered:
    """All that became of some cases."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def errors_km_h(self) -> list[float]:
        """Of every published speed."""
        return [one.speed_m_s * KM_H - outcome.true_km_h for outcome in self.outcomes for one in outcome.published]

    def figures(self) -> dict[str, float]:
        """By the names of the bench."""
        errors = np.array(self.errors_km_h)
        stated = np.array([one.uncertainty_m_s * KM_H for outcome in self.outcomes for one in outcome.published])
        return {
            "speed_rendered_within_uncertainty": float(np.mean(np.abs(errors) <= stated)),
            "speed_rendered_bias_kmh": abs(float(errors.mean())),
            "speed_rendered_coverage": sum(bool(one.published) for one in self.outcomes) / len(self.outcomes),
        }


def drive(case: Case, folder: Path) -> list[Outcome]:
    """Every vehicle of a case; `folder` takes the calibration file."""
    scene = case.scene
    path = folder / f"{case.seed}.toml"
    path.write_text(scene.calibration_toml(_SURVEY, case.seed), encoding="utf-8")
    calibration = load_calibration(path)
    tracker, watch = VehicleTracker(calibration), ViewWatch(_reference(case, calibration))
    tracks: dict[int, Track] = {}
    checks: list[Check] = []
    for frame in _frames(case, scene):
        seen = tracker.take(frame)
        tracks |= {track.number: track for track in (*seen.live, *seen.ended)}
        if not checks or frame.presentation_us - checks[-1].presentation_us >= _CHECK_US:
            displacement = watch.take(frame.image)
            is_confirmed = displacement is not None and displacement < MOVED_PX
            checks.append(Check(frame.presentation_us, is_confirmed and watch.state is ViewState.CONFIRMED))
    followed: dict[int, list[Track]] = {vehicle.number: [] for vehicle in scene.vehicles}
    for track in tracks.values():
        vehicle = _vehicle_of(track, scene)
        if vehicle is not None:
            followed[vehicle.number].append(track)
    everyone = list(tracks.values())
    return [_outcome(vehicle, followed[vehicle.number], everyone, calibration, checks) for vehicle in scene.vehicles]


def _reference(case: Case, calibration: Calibration) -> ViewReference:
    """The view, as confirmed on a quiet day."""
    scene = Scene(LAYOUT, (), SPEED_SITE, seed=case.seed)
    return confirm_view((scene.render(second / 2) for second in range(12)), calibration.sha256)


def _frames(case: Case, scene: Scene) -> Iterator[Frame]:
    random = np.random.default_rng(case.seed)
    epoch, last_s, last_us = 1, 0.0, -1
    for taken_s in capture_times(scene.duration_s, FRAMES_PER_S, case.faults, case.seed):
        epoch += taken_s - last_s > _NEW_EPOCH_S
        stamp_us = max(last_us + 1, round((taken_s + random.normal(0.0, case.stamp_s)) * 1e3) * 1000)
        yield Frame(scene.render(taken_s), stamp_us, stamp_us, stamp_us, 1000, epoch, ClockClass.CONTAINER)
        last_s, last_us = taken_s, stamp_us


def _measured(track: Track, everyone: list[Track], calibration: Calibration) -> list[Measurement | Refusal]:
    assert calibration.plane is not None
    size = (calibration.width_px, calibration.height_px)
    zones = [lane.speed_zone for lane in calibration.lanes]
    others = [other.points for other in everyone if other is not track]
    return [measure(track.points, calibration.plane, size, zone, track.clock, others=others) for zone in zones]


def _vehicle_of(track: Track, scene: Scene) -> RoadUser | None:
    """Whom the track followed: who was nearest to those of its points that a speed may rest on; None where none are.

    However far that is: a speed that is published is held against somebody's.
    """
    near_m, far_m = LAYOUT.speed_zone_m
    seen = [point for point in track.points if point.is_whole and near_m <= point.y_m <= far_m]
    if not seen:
        return None
    return min(scene.vehicles, key=lambda vehicle: float(np.median([_distance_m(vehicle, point) for point in seen])))


def _distance_m(vehicle: RoadUser, point: TrackPoint) -> float:
    """From the vehicle's nearer end to a place on the road."""
    state = vehicle.at(point.presentation_us / 1e6)
    nearer_m = min(state.front_m[1], state.rear_m[1])
    return float(np.hypot(state.centre.x_m - point.x_m, nearer_m - point.y_m))


def _outcome(
    vehicle: RoadUser, tracks: list[Track], everyone: list[Track], calibration: Calibration, checks: list[Check]
) -> Outcome:
    results = [(track, one) for track in tracks for one in _measured(track, everyone, calibration)]
    measured = [(track, one) for track, one in results if isinstance(one, Measurement)]
    published = tuple(one for track, one in measured if _was_view_confirmed(track, checks))
    refused = tuple(one for _, one in results if not isinstance(one, Measurement))
    return Outcome(vehicle.motion.speed_m_s * KM_H, published, refused, len(measured) - len(published))


def _was_view_confirmed(track: Track, checks: list[Check]) -> bool:
    """Whether the last check before the track and the first one after it found the view where it was."""
    before = [one for one in checks if one.presentation_us <= track.points[0].presentation_us]
    after = [one for one in checks if one.presentation_us >= track.points[-1].presentation_us]
    return bool(before and after) and before[-1].is_confirmed and after[0].is_confirmed
