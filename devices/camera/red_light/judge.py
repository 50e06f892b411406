"""Who ran a red light: passages of vehicles held against what the journal says of the signal.

Both times are of one clock. `until_us` and `begun_us` of a red phase are stamps of the gateway's UTC, taken when the
signal's readings came in; a crossing's `utc_us` is the gateway's UTC of its picture, known within `utc_error_us`. Let
C(t) be what that clock says at the true time t. Nothing here rests on C(t) = t: while the clock is not set back, t1 <
t2 gives C(t1) <= C(t2), whatever its error and however it is slewed, so orders of events are true by it. The error of
the clock against the world cancels; what is left are the errors of either estimate:

    the light was red when the stop line was passed    C(stop) - utc_error > C(red told) + grace
    and still when it was behind the second line       C(behind) + utc_error < C(end told) - resolution - delay

C(red told) is later than the true beginning, and C(end told) is later than the true end by no more than the look's
resolution and the way from the controller to the gateway: both sides err in the driver's favour. A clock that was set
(not slewed) meanwhile breaks this: pictures show it themselves, as their UTC leaps against their presentation time,
and so does `gateway.clock`. Then, and while the clock is unsynced and may be set at any moment, nobody is accused.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.camera.red_light.doubts import Doubt
from devices.camera.red_light.passage import Passage, PassageWatch
from devices.camera.red_light.signal_history import RedPhase, SignalHistory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.frame import Frame
    from devices.camera.vehicles.seen import Crossing
    from devices.driver import CommittedEvent

LEAP_MAX_US = 100_000
"""UTC that moves further than this against presentation time from one picture to the next was set."""
WAITING_MAX = 64
WAIT_MAX_US = 300_000_000
RED_MAX_US = 900_000_000
"""A light that has been red for longer may be stuck."""
UTC_ERROR_MAX_US = 1_000_000


@dataclass(frozen=True, slots=True)
class RedLightRules:
    """What an operator sets. `delay_ms`: how long a change may take from the controller to the gateway."""

    group: str
    component: str | None = None
    grace_ms: int = 500
    delay_ms: int = 1000


class Violation(NamedTuple):
    """A vehicle ran a red light beyond doubt; all numbers are rounded in its driver's favour."""

    passage: Passage
    phase: RedPhase
    red_ms: int
    crossing_ms: int
    clock_error_ms: int

    def data(self, measurement_class: str, calibration_sha256: bytes) -> dict[str, Any]:
        """Of `vehicle.red_light`, without a plate; `measurement_class` is "approved" or "indicative"."""
        return {
            "lane": self.passage.lane,
            "taken_us": self.passage.stop.utc_us,
            "signal": {"journal": self.phase.journal, "sequence": self.phase.sequence},
            "red_ms": self.red_ms,
            "crossing_ms": self.crossing_ms,
            "clock_error_ms": self.clock_error_ms,
            "clock": self.passage.track.clock.value,
            "class": measurement_class,
            "calibration_sha256": calibration_sha256,
        }


class _Verdict(enum.Enum):
    INNOCENT = enum.auto()
    OPEN = enum.auto()


class RedLightJudge:
    """Takes the signal's events, the vehicles' crossings and each frame's times; no I/O, no clock.

    `calibration` is that of the frames, as the tracker has it.
    `let_go` counts, by reason, passages that could not be decided: nobody is accused of them.
    """

    def __init__(self, rules: RedLightRules, calibration: Calibration) -> None:
        self.let_go: Counter[Doubt] = Counter()
        self._grace_us = rules.grace_ms * 1000
        self._history = SignalHistory(rules.group, rules.component, rules.delay_ms)
        self._watch = PassageWatch(calibration)
        self._waiting: list[Passage] = []
        self._doubt = Doubt.GAP
        self._frame: Frame | None = None
        self._smooth_since_us = self._smooth_since_utc_us = 0

    def signal(self, event: CommittedEvent) -> None:
        """An event of the signal's device, or of the gateway, is committed; in order of sequence."""
        suspects = self.suspects
        doubt = self._history.take(event)
        if doubt is not None:
            self._let_all_go(suspects, doubt)

    def crossed(self, crossing: Crossing) -> None:
        """A vehicle passed a line, as the tracker tells of the frame that is then given to `decide`."""
        if crossing.track.clock.is_enforceable:
            self._watch.take(crossing)

    @property
    def suspects(self) -> tuple[Passage, ...]:
        """Who passed on red as far as is known by now: their pictures are needed until they are decided."""
        return tuple(one for one in self._waiting if self._phase(one) is not None)

    def decide(self, frame: Frame) -> list[Violation]:
        """The violations that are certain now; to be called with every frame, after its crossings."""
        self._keep_time(frame)
        for found in self._watch.finished(frame.presentation_us):
            if isinstance(found, Passage):
                self._waiting.append(found)
            else:
                self.let_go[Doubt.TRACK] += 1
        too_many = max(0, len(self._waiting) - WAITING_MAX)
        self.let_go.update([Doubt.UNDECIDED] * too_many)
        del self._waiting[:too_many]
        violations, waiting = [], []
        for passage in self._waiting:
            verdict = self._verdict(passage, frame)
            if isinstance(verdict, Violation):
                violations.append(verdict)
            elif isinstance(verdict, Doubt):
                self.let_go[verdict] += 1
            elif verdict is _Verdict.OPEN:
                waiting.append(passage)
        self._waiting = waiting
        return violations

    def _keep_time(self, frame: Frame) -> None:
        """What the signal showed before the pictures' times broke off cannot be held against them any more."""
        before, self._frame = self._frame, frame
        is_same = before is not None and before.epoch == frame.epoch
        if before is not None and is_same:
            moved_us = (frame.utc_us - before.utc_us) - (frame.presentation_us - before.presentation_us)
            if abs(moved_us) <= LEAP_MAX_US:
                return
        suspects = self.suspects
        self._smooth_since_us, self._smooth_since_utc_us = frame.presentation_us, frame.utc_us
        self._history.forget()
        self._let_all_go(suspects, Doubt.CLOCK if is_same else Doubt.GAP)

    def _let_all_go(self, suspects: Sequence[Passage], doubt: Doubt) -> None:
        self.let_go.update([doubt] * len(suspects))
        self._waiting.clear()
        self._doubt = doubt

    def _verdict(self, passage: Passage, frame: Frame) -> Violation | Doubt | _Verdict:
        if passage.track.epoch != frame.epoch:
            return Doubt.GAP
        if passage.front_us < self._smooth_since_us:
            return Doubt.CLOCK
        told_us = self._history.told_us
        if told_us is None:
            return self._doubt
        phase = self._phase(passage)
        if phase is not None and phase.ended_us is not None and frame.utc_us >= phase.ended_us:
            return self._violation(passage, phase)
        is_open = phase is not None or told_us + self._grace_us < _earliest_us(passage)
        if not is_open:
            return _Verdict.INNOCENT
        if frame.utc_us - passage.second.utc_us > WAIT_MAX_US:
            return Doubt.UNDECIDED
        return _Verdict.OPEN

    def _phase(self, passage: Passage) -> RedPhase | None:
        """The red phase in which both lines were passed, as far as is known."""
        before = [
            one
            for one in self._history.phases()
            if one.begun_us >= self._smooth_since_utc_us and one.begun_us + self._grace_us < _earliest_us(passage)
        ]
        if not before:
            return None
        # An older one had ended when this one began.
        phase = before[-1]
        has_lasted = phase.until_us is None or _latest_us(passage) < phase.until_us
        return phase if has_lasted else None

    def _violation(self, passage: Passage, phase: RedPhase) -> Violation | Doubt:
        red_us = _earliest_us(passage) - phase.begun_us
        utc_error_us = max(passage.stop.utc_error_us, passage.second.utc_error_us)
        if red_us > RED_MAX_US:
            return Doubt.LONG_RED
        if utc_error_us > UTC_ERROR_MAX_US:
            return Doubt.CLOCK
        crossing_us = passage.second.presentation_us - passage.stop.presentation_us
        return Violation(passage, phase, red_us // 1000, crossing_us // 1000, math.ceil(utc_error_us / 1000))


def _earliest_us(passage: Passage) -> int:
    """When the vehicle's front may have passed the stop line, at the earliest (UTC)."""
    return passage.stop.utc_us - passage.stop.utc_error_us - (passage.stop.presentation_us - passage.front_us)


def _latest_us(passage: Passage) -> int:
    """When the vehicle was clearly behind the second line, at the latest (UTC)."""
    second = passage.second
    return second.utc_us + second.utc_error_us + (passage.onward_us - second.presentation_us)
