"""Rendered crossings, from pixels to violations: the scenes of the simulated camera, tracker and judge."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devices.camera.calibration.calibration import load_calibration
from devices.camera.frame import ClockClass, Frame
from devices.camera.red_light.judge import RedLightJudge, RedLightRules
from devices.camera.vehicles.tracker import VehicleTracker
from tests.devices.camera.red_light.junction import at_us, event, phase

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from devices.camera.red_light.doubts import Doubt
    from devices.camera.red_light.judge import Violation
    from devices.driver import CommittedEvent
    from devices.sim.camera.scene import Scene

RULES = RedLightRules("2")
_EDGE_S = 2.0
_NEAR_S = 1.2
"""One vehicle uses a lane in each cycle; at night and in rain its headlamps are seen to pass a line before it."""


@dataclass(frozen=True)
class PictureClock:
    """The gateway's clock for pictures: they are `off_s` late by it, and claim an error of `error_us` at most.

    It is set by `step_s` in the middle of the scene, of which the gateway tells 0.7 s later.
    """

    off_s: float = 0.0
    error_us: int = 40_000
    step_s: float = 0.0


@dataclass
class Judged:
    """What came of a scene: numbers of its vehicles. `false`: violations of nobody who ran the red light."""

    run: set[int] = field(default_factory=set)
    found: set[int] = field(default_factory=set)
    false: list[str] = field(default_factory=list)
    let_go: list[Doubt] = field(default_factory=list)


def judge_scene(
    scene: Scene, folder: Path, *, frames_per_s: float = 15.0, clock: PictureClock = PictureClock()
) -> Judged:
    """Render a scene and judge it; frames of an empty junction are left out."""
    path = folder / "calibration.toml"
    path.write_text(scene.calibration_toml())
    calibration = load_calibration(path)
    tracker, judge = VehicleTracker(calibration), RedLightJudge(RULES, calibration)
    step = scene.duration_s / 2, clock.step_s
    events, violations = _events(scene, step), []
    for index in range(int(scene.duration_s * frames_per_s)):
        seconds = index / frames_per_s
        if not _shows_anything(scene, seconds):
            continue
        utc_us = at_us(seconds + clock.off_s + (clock.step_s if seconds >= step[0] else 0.0))
        picture = scene.render(seconds)
        frame = Frame(picture, round(seconds * 1e6), 0, utc_us, clock.error_us, 1, ClockClass.RTSP)
        while events and events[0][0] <= seconds:
            judge.signal(events.pop(0)[1])
        for crossing in tracker.take(frame).crossings:
            judge.crossed(crossing)
        violations += judge.decide(frame)
    return _judged(scene, violations, judge.let_go)


def _shows_anything(scene: Scene, seconds: float) -> bool:
    """Whether anybody moves near the junction, or the scene begins or ends."""
    if seconds < _EDGE_S or seconds > scene.duration_s - _EDGE_S:
        return True
    states = (one.at(seconds) for one in (*scene.vehicles, *scene.bystanders))
    return any(-12.0 < one.centre.y_m < 75.0 and abs(one.centre.x_m) < 25.0 for one in states)


def _events(scene: Scene, step: tuple[float, float]) -> list[tuple[float, CommittedEvent]]:
    """What a gateway that polls ten times a second records of the scene's signal, and when (s) it is committed."""
    assert scene.signal is not None
    chance = random.Random(scene.seed)
    step_at_s, step_s = step
    told: list[tuple[float, CommittedEvent]] = []
    for since_s, state in scene.signal.changes:
        came_s = max(0.0, since_s) + chance.uniform(0.01, 0.12)
        stamp_s = came_s + (step_s if came_s >= step_at_s else 0.0)
        told.append((came_s + 0.1, phase(stamp_s, state.value, cause="change" if told else "opening")))
    if step_s:
        at_s = step_at_s + 0.7
        told.append((at_s, event(at_s + step_s, "gateway.clock", {"step_us": round(step_s * 1e6)})))
    told.sort(key=lambda one: one[0])
    return [(at_s, one._replace(sequence=number)) for number, (at_s, one) in enumerate(told, start=1)]


def _judged(scene: Scene, violations: list[Violation], let_go: Counter[Doubt]) -> Judged:
    judged = Judged({one.number for one in scene.vehicles if one.behaviour == "runs_red"}, let_go=[*let_go.elements()])
    for violation in violations:
        lane, passed_s = violation.passage.lane, violation.passage.stop.presentation_us / 1e6
        numbers = {
            one.number
            for one in scene.crossings()
            if (one.lane, one.line) == (lane, "stop_line")
            and any(at is not None and abs(at - passed_s) < _NEAR_S for at in (one.front_s, one.rear_s))
        }
        judged.found |= numbers & judged.run
        if not numbers & judged.run:
            judged.false.append(f"{lane} at {passed_s:.2f} s, red for {violation.red_ms} ms: {sorted(numbers)}")
    return judged
