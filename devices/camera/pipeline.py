"""The camera's pipeline on one page: frames in, readings and suspects out. No I/O, no clock, one thread.

frame → vehicles ──→ crossings → counts, red light
                └──→ tracks ───→ speed
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.camera.counting import LaneCounts
from devices.camera.passage_counters import PassageCounters
from devices.camera.red_light.judge import RedLightJudge
from devices.camera.speed.measure import measure
from devices.camera.speed.measurement import Measurement
from devices.camera.speed.speeding import passage_speed, speeding
from devices.camera.vehicles.seen import LaneLine
from devices.camera.vehicles.tracker import VehicleTracker
from devices.camera.zone_watch import ZoneWatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.calibration.lanes import Lane
    from devices.camera.frame import Frame
    from devices.camera.red_light.judge import RedLightRules
    from devices.camera.red_light.judge import Violation as RedLightViolation
    from devices.camera.red_light.passage import Passage
    from devices.camera.speed.measurement import Refusal
    from devices.camera.track import Track
    from devices.camera.vehicles.seen import Crossing
    from devices.camera.zone_watch import Passed
    from devices.driver import CommittedEvent

REMEMBERED_US = 20_000_000
"""How long ended tracks are remembered: their vehicles are in the pictures of a violation, too."""
REMEMBERED_MAX = 64
PROVEN_AFTER_US = 4_000_000
"""A camera whose clock begins to run wrong is found out within 3 s (`source/stream_clock.py`), and its epoch ends; one
that is moved is found out within 2 s (`calibration/view_watch.py`)."""


@dataclass(frozen=True, slots=True)
class PipelineRules:
    """What is told of what is seen. Speeds in mm/s; without a limit nobody speeds.

    `approved_until_us`: until when (UTC) the camera counts as approved; 0 if it does not.
    """

    count_interval_s: int
    records_passages: bool = False
    limit_mm_s: int | None = None
    tolerance_mm_s: int = 0
    red_light: RedLightRules | None = None
    approved_until_us: int = 0

    @property
    def enforces(self) -> bool:
        """Whether anything of it becomes a violation, with pictures."""
        return self.limit_mm_s is not None or self.red_light is not None


class Told(NamedTuple):
    """An event without evidence."""

    type: str
    data: dict[str, Any]


class Suspect(NamedTuple):
    """Who may have done wrong, and what shows it.

    `moments_us`: of UTC, when the pictures that show it were taken. `tracks`: of all vehicles about then, as they were
    known when it became known; `track` is among them.
    """

    track: Track
    lane: Lane
    moments_us: tuple[int, ...]
    tracks: tuple[Track, ...]

    @property
    def key(self) -> tuple[int, str, tuple[int, ...]]:
        """Track, lane and moments: who speeds may run the red light, too."""
        return self.track.number, self.lane.id, self.moments_us


class Violation(NamedTuple):
    """What is to be an event once its evidence is kept."""

    type: str
    data: dict[str, Any]
    suspect: Suspect


class _Held(NamedTuple):
    """What was measured, and is told once what it rests on has proven sound for long enough afterwards."""

    due_us: int
    what: Told | Violation


@dataclass(slots=True)
class Outcome:
    """What one frame gave.

    `suspects` may still become violations: their pictures have to be kept until then. `measured` are the vehicles that
    left a speed zone, by their tracks' numbers.
    """

    told: list[Told] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    suspects: tuple[Suspect, ...] = ()
    live: tuple[Track, ...] = ()
    measured: dict[int, Measurement | Refusal] = field(default_factory=dict)


class Pipeline:
    """Takes the frames of one stream, all of one size, by a calibration of that size.

    While `is_view_confirmed` is false nobody is measured or accused, nor who was seen just before; counts go on.
    `counters` tell what became of everybody else.
    """

    def __init__(self, calibration: Calibration, rules: PipelineRules) -> None:
        self._calibration, self._rules = calibration, rules
        self._lanes = {lane.id: lane for lane in calibration.lanes}
        self._tracker = VehicleTracker(calibration)
        counted = [lane.id for lane in calibration.lanes if lane.count_line]
        self._counts = LaneCounts(counted, rules.count_interval_s)
        self._zones = ZoneWatch(calibration.lanes)
        self._judge = RedLightJudge(rules.red_light, calibration) if rules.red_light else None
        self._recent: deque[tuple[int, Track]] = deque(maxlen=REMEMBERED_MAX)
        self._suspects: dict[tuple[int, str], Suspect] = {}
        self._held: list[_Held] = []
        self._epoch = 0
        self._doubted_us: int | None = None
        self.is_view_confirmed = False
        self.counters = PassageCounters(undecided=self._judge.let_go) if self._judge else PassageCounters()

    def signal(self, event: CommittedEvent) -> None:
        """An event of the followed signal, or of the gateway, is committed."""
        if self._judge:
            self._judge.signal(event)

    def take(self, frame: Frame) -> Outcome:
        """What `frame` shows. Raises DeviceError when its size is not the calibration's."""
        seen = self._tracker.take(frame)
        outcome = Outcome(live=seen.live)
        outcome.told += [Told("vehicle.count", data) for data in self._counts.take(frame)]
        self._recent.extend((frame.arrival_us, track) for track in seen.ended)
        while self._recent and self._recent[0][0] < frame.arrival_us - REMEMBERED_US:
            self._recent.popleft()
        for crossing in seen.crossings:
            self._cross(crossing, outcome)
        self._watch_doubts(frame)
        self._tell_held(frame, outcome)
        for passed in self._zones.take(seen):
            self._pass(passed, frame, outcome)
        if self._judge:
            self._decide(self._judge, frame, outcome)
        return outcome

    def finish(self) -> Outcome:
        """A file has ended, so that no frame will come any more: the open interval, and what was held."""
        outcome = Outcome([Told("vehicle.count", data) for data in self._counts.finish()])
        self._tell([one.what for one in self._held], outcome)
        return outcome

    def _watch_doubts(self, frame: Frame) -> None:
        """Another epoch ends what is held, and so does a view that is not confirmed."""
        if frame.epoch != self._epoch:
            self._epoch, self._doubted_us = frame.epoch, None
            self._let_go("new_epoch")
        if not self.is_view_confirmed:
            self._doubted_us = frame.presentation_us
            self._let_go("view")

    def _let_go(self, why: str) -> None:
        self.counters.let_go.update(f"{one.what.type.removeprefix('vehicle.')}_{why}" for one in self._held)
        self._held.clear()

    def _is_trusted(self, since_us: int) -> bool:
        """Whether the view was confirmed from this presentation time on."""
        return self._doubted_us is None or self._doubted_us < since_us

    def _hold(self, what: Told | Violation, frame: Frame) -> None:
        self._held.append(_Held(frame.presentation_us + PROVEN_AFTER_US, what))

    def _tell_held(self, frame: Frame, outcome: Outcome) -> None:
        due = [one.what for one in self._held if one.due_us <= frame.presentation_us]
        self._held = [one for one in self._held if one.due_us > frame.presentation_us]
        self._tell(due, outcome)
        outcome.suspects = tuple(one.what.suspect for one in self._held if isinstance(one.what, Violation))

    @staticmethod
    def _tell(held: Iterable[Told | Violation], outcome: Outcome) -> None:
        for what in held:
            if isinstance(what, Violation):
                outcome.violations.append(what)
            else:
                outcome.told.append(what)

    def _decide(self, judge: RedLightJudge, frame: Frame, outcome: Outcome) -> None:
        """Whom nobody suspects any more is forgotten, with the pictures."""
        for violation in judge.decide(frame):
            if self._is_trusted(violation.passage.track.points[0].presentation_us):
                outcome.violations.append(self._ran_red(violation, frame, outcome))
            else:
                self.counters.let_go["red_light_view"] += 1
        still = {(one.track.number, one.lane): one for one in judge.suspects}
        self._suspects = {
            key: self._suspects.get(key) or self._passed_on_red(passage, outcome) for key, passage in still.items()
        }
        outcome.suspects += tuple(self._suspects.values())

    def _cross(self, crossing: Crossing, outcome: Outcome) -> None:
        if self._judge:
            self._judge.crossed(crossing)
        if crossing.line is not LaneLine.COUNT:
            return
        self._counts.count(crossing)
        if self._rules.records_passages and not self._lanes[crossing.lane].speed_zone:
            data = {"lane": crossing.lane, "direction": crossing.direction.value}
            outcome.told.append(Told("vehicle.passage", data | {"class": crossing.track.vehicle.value}))

    def _pass(self, passed: Passed, frame: Frame, outcome: Outcome) -> None:
        lane, calibration = self._lanes[passed.lane], self._calibration
        track = passed.track
        if calibration.plane is None:
            return
        if not self._is_trusted(track.points[0].presentation_us):
            self.counters.let_go["unmeasured_view"] += 1
            return
        size = calibration.width_px, calibration.height_px
        others = [one.points for one in self._about(track, outcome)]
        measured = measure(track.points, calibration.plane, size, lane.speed_zone, track.clock, others=others)
        outcome.measured[passed.track.number] = measured
        if not isinstance(measured, Measurement):
            self.counters.refused[measured.reason.value] += 1
            return
        self.counters.measured += 1
        if self._rules.records_passages:
            data = {"lane": lane.id, "direction": measured.direction.value, "class": passed.track.vehicle.value}
            self._hold(Told("vehicle.passage", data | passage_speed(measured, calibration.sha256)), frame)
        self._judge_speed(measured, passed, frame, outcome)

    def _judge_speed(self, measured: Measurement, passed: Passed, frame: Frame, outcome: Outcome) -> None:
        rules = self._rules
        if rules.limit_mm_s is None:
            return
        data = speeding(
            measured,
            passed.lane,
            passed.last.utc_us,
            rules.limit_mm_s,
            rules.tolerance_mm_s,
            self._measurement_class(frame),
            self._calibration.sha256,
        )
        if data is None:
            return
        moments_us = passed.first.utc_us, passed.last.utc_us
        suspect = self._suspect(passed.track, passed.lane, moments_us, outcome)
        self._hold(Violation("vehicle.speeding", data, suspect), frame)

    def _ran_red(self, violation: RedLightViolation, frame: Frame, outcome: Outcome) -> Violation:
        passage = violation.passage
        data = violation.data(self._measurement_class(frame), self._calibration.sha256)
        known = self._suspects.get((passage.track.number, passage.lane))
        return Violation("vehicle.red_light", data, known or self._passed_on_red(passage, outcome))

    def _passed_on_red(self, passage: Passage, outcome: Outcome) -> Suspect:
        utc_us = {point.presentation_us: point.utc_us for point in passage.track.points}
        moments_us = tuple(utc_us[moment] for moment in passage.pictures_us)
        return self._suspect(passage.track, passage.lane, moments_us, outcome)

    def _suspect(self, track: Track, lane: str, moments_us: tuple[int, ...], outcome: Outcome) -> Suspect:
        """With copies of the tracks as they are now: evidence is made of them in another thread, and later."""
        copies = [replace(one, points=list(one.points)) for one in (track, *self._about(track, outcome))]
        return Suspect(copies[0], self._lanes[lane], moments_us, tuple(copies))

    def _about(self, track: Track, outcome: Outcome) -> list[Track]:
        """The other tracks of now and of just before."""
        others = {one.number: one for one in (*(one for _, one in self._recent), *outcome.live)}
        return [one for number, one in others.items() if number != track.number]

    def _measurement_class(self, frame: Frame) -> str:
        return "approved" if frame.utc_us < self._rules.approved_until_us else "indicative"
