from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from devices.camera.frame import ClockClass
from devices.camera.red_light import judge as judge_module
from devices.camera.red_light.doubts import Doubt
from devices.camera.red_light.judge import RedLightJudge, RedLightRules
from devices.camera.track import Direction
from devices.camera.vehicles.seen import LaneLine
from ledger_sync.proof.cose import UTC_US_MAX
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type
from tests.devices.camera.red_light.junction import (
    CALIBRATION,
    FRAME_S,
    JOURNAL,
    NOT_SURVEYED,
    UTC_ERROR_US,
    both_lines,
    crossing,
    event,
    frame,
    phase,
    vehicle,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.red_light.judge import Violation
    from devices.camera.red_light.passage import Passage
    from devices.camera.vehicles.seen import Crossing
    from devices.driver import CommittedEvent

RULES = RedLightRules("2", grace_ms=500, delay_ms=1000)
YELLOW, RED, GREEN = phase(7, "yellow", 10), phase(10, "red", 11), phase(40, "green", 12)
LATE_S = 10 + 0.5 + UTC_ERROR_US / 1e6
"""Up to here the front may pass the stop line: red is told at 10."""
EARLY_S = 40 - 0.1 - 1.0 - UTC_ERROR_US / 1e6 - 5.0 / 12.0
"""Up to here the second line must be passed at 12 m/s, and 5 m more to be behind it: green is told at 40."""
FRAMES_S = [index * FRAME_S for index in range(round(60 / FRAME_S))]


def judged(
    events: Sequence[CommittedEvent],
    crossings: Sequence[Crossing],
    *,
    commit_s: float = 0.1,
    frames: Any = frame,
    calibration: Calibration = CALIBRATION,
) -> tuple[list[Violation], RedLightJudge]:
    """What a judge says in a minute; events come `commit_s` after their stamp, crossings half a second after theirs."""
    judge, violations = RedLightJudge(RULES, calibration), []
    left = sorted(events, key=lambda one: one.sequence)
    passed = sorted(crossings, key=lambda one: one.presentation_us)
    for seconds in FRAMES_S:
        now = frames(seconds)
        while left and left[0].utc_us + commit_s * 1e6 <= frame(seconds).utc_us:
            judge.signal(left.pop(0))
        while passed and passed[0].presentation_us / 1e6 + 0.5 <= seconds:
            judge.crossed(passed.pop(0))
        violations += judge.decide(now)
    return violations, judge


def suspects(judge: RedLightJudge) -> list[Passage]:
    return list(judge.suspects)


def test_who_passes_both_lines_on_red_has_run_it_and_the_event_names_the_signals() -> None:
    (violation,), judge = judged([YELLOW, RED, GREEN], both_lines(15.0, 16.2))
    assert violation.data("indicative", bytes(32)) == {
        "lane": "1",
        "taken_us": violation.passage.stop.utc_us,
        "signal": {"journal": JOURNAL, "sequence": 11},
        "red_ms": 4980,
        "crossing_ms": 1200,
        "clock_error_ms": 20,
        "clock": "rtsp",
        "class": "indicative",
        "calibration_sha256": bytes(32),
    }
    assert not judge.let_go
    assert suspects(judge) == []


def test_the_events_data_is_of_its_type_and_leaves_room_for_a_plate() -> None:
    (violation,), _ = judged([YELLOW, RED, GREEN], both_lines(15.0, 16.2))
    data = violation.data("indicative", bytes(32)) | {"plate_sha256": bytes(32)}
    largest = {"red_ms": 86_400_000, "crossing_ms": 600_000, "clock_error_ms": 60_000, "lane": "lane-abc"}
    largest |= {
        "signal": {"journal": bytes(16), "sequence": (1 << 32) - 1},
        "clock": "container",
        "taken_us": UTC_US_MAX,
    }
    assert len(encode_data(event_type("vehicle.red_light"), data | largest)) <= 264


@pytest.mark.parametrize(
    ("stop_s", "second_s", "has_run"),
    [
        (9.0, 10.4, False),  # late yellow
        (LATE_S - 0.01, 13.0, False),  # within the grace time
        (LATE_S + 0.01, 13.0, True),
        (36.0, EARLY_S - FRAME_S, True),
        (36.0, EARLY_S + FRAME_S, False),  # green may have begun
        (36.0, 41.0, False),
        (41.0, 42.0, False),
        (5.0, 15.0, False),  # passed the stop line on green, and was held up behind it
    ],
)
def test_only_between_grace_time_and_the_earliest_end_of_red_has_anybody_run_it(
    stop_s: float, second_s: float, *, has_run: bool
) -> None:
    violations, judge = judged([YELLOW, RED, GREEN], both_lines(stop_s, second_s))
    assert [bool(violations), sum(judge.let_go.values())] == [has_run, 0]


def test_who_stops_behind_the_stop_line_or_turns_off_before_the_second_has_not_run_it() -> None:
    stopping = vehicle(12.0, 45.0)
    turning = vehicle(13.0, 20.0, number=2)
    crossings = [
        crossing(stopping, 15.0, LaneLine.STOP),
        crossing(turning, 16.0, LaneLine.STOP),
        crossing(stopping, 42.0, LaneLine.SECOND),
    ]
    violations, judge = judged([YELLOW, RED, GREEN], crossings)
    assert (violations, sum(judge.let_go.values())) == ([], 0)


@pytest.mark.parametrize("clock", [ClockClass.MJPEG, ClockClass.ARRIVAL])
def test_times_that_are_the_networks_accuse_nobody(clock: ClockClass) -> None:
    assert judged([YELLOW, RED, GREEN], both_lines(15.0, 16.2, clock=clock))[0] == []


@pytest.mark.parametrize(
    ("direction", "stop_s", "second_s"),
    [(Direction.APPROACHING, 16.2, 15.0), (Direction.DEPARTING, 16.2, 15.0)],
)
def test_who_goes_the_other_way_has_not_run_it(direction: Direction, stop_s: float, second_s: float) -> None:
    assert judged([YELLOW, RED, GREEN], both_lines(stop_s, second_s, direction))[0] == []


def test_of_a_vehicle_seen_from_behind_the_front_counts() -> None:
    # At 12 m/s the front of the longest light vehicle, 12 m, is a second ahead of its rear.
    for stop_s, has_run in ((LATE_S + 0.9, False), (LATE_S + 1.1, True)):
        violations, _ = judged([YELLOW, RED, GREEN], both_lines(stop_s, stop_s + 2, Direction.DEPARTING))
        assert bool(violations) is has_run
        assert judged([YELLOW, RED, GREEN], both_lines(stop_s, stop_s + 2))[0], "seen from the front"


def test_nobody_is_judged_where_nobody_surveyed_the_road() -> None:
    violations, judge = judged([YELLOW, RED, GREEN], both_lines(15.0, 16.2), calibration=NOT_SURVEYED)
    assert (violations, sum(judge.let_go.values())) == ([], 0)


def test_nothing_is_decided_before_the_end_of_red_is_committed_however_late_that_is() -> None:
    assert judged([YELLOW, RED], both_lines(15.0, 16.2))[0] == []
    (violation,), _ = judged([phase(1, "green", 9), YELLOW, RED, GREEN], both_lines(15.0, 16.2), commit_s=15.0)
    assert violation.phase.sequence == 11


def test_suspects_are_those_whose_pictures_are_needed_yet() -> None:
    judge = RedLightJudge(RULES, CALIBRATION)
    judge.decide(frame(5))
    judge.signal(YELLOW)
    for one in both_lines(15.0, 16.0):
        judge.crossed(one)
    assert judge.decide(frame(17)) == []
    assert suspects(judge) == []
    judge.signal(RED)
    (suspect,) = suspects(judge)
    assert [round(time / 1e6, 2) for time in suspect.pictures_us] == [15.0, 16.0]
    for seconds in range(18, 40):
        assert judge.decide(frame(seconds)) == []
        assert suspects(judge) == [suspect]
    judge.signal(GREEN)
    assert judge.decide(frame(39)) == [], "no picture is as new as the end of red"
    assert len(judge.decide(frame(41))) == 1
    assert suspects(judge) == []


DISTURBANCES = {
    "the controller is lost": (event(20, "device.health", {"state": "offline"}, 12), Doubt.OFFLINE),
    "it is back": (event(20, "device.health", {"state": "online"}, 12), Doubt.OFFLINE),
    "the clock is set": (event(20, "gateway.clock", {"step_us": 3_000_000}, 12), Doubt.CLOCK),
    "readings are lost": (event(20, "gateway.gap", {"reason": "the disk was full"}, 12), Doubt.GAP),
    "the gateway starts": (event(20, "gateway.start", {}, 12), Doubt.GAP),
    "the state is unknown": (phase(20, "unknown", 12), Doubt.COARSE),
    "another controller has the group too": (phase(20, "green", 12, controller="other"), Doubt.AMBIGUOUS),
    "an event is older than the one before": (phase(9, "green", 12), Doubt.CLOCK),
    "the clock is no more synchronised": (phase(20, "red", 12)._replace(clock_error_us=None), Doubt.UNSYNCED),
    "its error is large": (phase(20, "red", 12)._replace(clock_error_us=1_000_001), Doubt.UNSYNCED),
}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_before_the_end_of_red_makes_it_undecidable(name: str) -> None:
    disturbance, doubt = DISTURBANCES[name]
    events = [YELLOW, RED, disturbance, GREEN._replace(sequence=13)]
    violations, judge = judged(events, both_lines(15.0, 16.2))
    assert (violations, judge.let_go) == ([], {doubt: 1})


def test_after_a_disturbance_a_new_red_phase_is_judged_again_unless_the_controller_stays_lost() -> None:
    again = [phase(22, "red", 13), phase(50, "green", 14)]
    lost = event(20, "device.health", {"state": "offline"}, 12)
    assert judged([YELLOW, RED, lost, *again], both_lines(25.0, 26.0))[0] == []
    back = event(21, "device.health", {"state": "online"}, 12)
    (violation,), _ = judged([YELLOW, RED, back, *again], both_lines(25.0, 26.0))
    assert violation.phase.sequence == 13


@pytest.mark.parametrize("step_s", [-5.0, -0.2, 0.2, 5.0])
@pytest.mark.parametrize("at_s", [12.0, 15.5, 20.0])
def test_a_step_of_the_clock_shows_in_the_pictures_too(step_s: float, at_s: float) -> None:
    violations, judge = judged(
        [YELLOW, RED, GREEN],
        both_lines(15.0, 16.2),
        frames=lambda seconds: frame(seconds, step_s=step_s if seconds >= at_s else 0.0),
    )
    assert (violations, judge.let_go) == ([], {Doubt.CLOCK: 1})


def test_a_stream_that_is_opened_anew_makes_what_went_before_undecidable() -> None:
    violations, judge = judged(
        [YELLOW, RED, GREEN], both_lines(15.0, 16.2), frames=lambda seconds: frame(seconds, epoch=1 + (seconds > 20))
    )
    assert (violations, judge.let_go) == ([], {Doubt.GAP: 1})


def test_a_clock_that_is_slewed_fast_decides_as_before() -> None:
    # chrony's fastest, 83,333 ppm: a step's worth in two seconds, but never back.
    violations, _ = judged(
        [YELLOW, RED, GREEN], both_lines(15.0, 16.2), frames=lambda seconds: frame(seconds, step_s=seconds / 12)
    )
    assert len(violations) == 1


def test_a_light_that_has_been_red_for_longer_than_a_quarter_of_an_hour_accuses_nobody() -> None:
    old = phase(-900, "red", 11)
    violations, judge = judged([old, GREEN], both_lines(15.0, 16.2))
    assert (violations, judge.let_go) == ([], {Doubt.GAP: 1}), "the pictures do not reach back so far"
    judge = RedLightJudge(RULES, CALIBRATION)
    judge.decide(frame(-1000))
    for seconds in range(-999, 41):
        if seconds == -899:
            judge.signal(old)
        if seconds == 17:
            for one in both_lines(15.0, 16.2):
                judge.crossed(one)
        judge.decide(frame(seconds))
    judge.signal(GREEN)
    assert judge.decide(frame(41)) == []
    assert judge.let_go == {Doubt.LONG_RED: 1}


def test_who_waits_for_a_decision_is_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "WAITING_MAX", 3)
    monkeypatch.setattr(judge_module, "WAIT_MAX_US", 10_000_000)
    judge = RedLightJudge(RULES, CALIBRATION)
    judge.decide(frame(5))
    judge.signal(RED)
    for number in range(5):
        for one in both_lines(15.0 + number, 16.2 + number, number=number):
            judge.crossed(one)
    judge.decide(frame(6))
    assert [one.track.number for one in suspects(judge)] == [2, 3, 4]
    for seconds in range(7, 32):
        judge.decide(frame(seconds))
    assert suspects(judge) == []
    assert judge.let_go == {Doubt.UNDECIDED: 5}


def test_before_the_first_word_of_the_signal_nobody_is_accused() -> None:
    violations, judge = judged([GREEN], both_lines(15.0, 16.2))
    assert (violations, judge.let_go) == ([], {Doubt.GAP: 1})
