from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from devices.camera.red_light.doubts import Doubt
from devices.camera.red_light.signal_history import PHASES_MAX, RedPhase, SignalHistory
from devices.sim.signal.cycle import SignalCycle
from tests.devices.camera.red_light.junction import JOURNAL, at_us, phase

if TYPE_CHECKING:
    from devices.driver import CommittedEvent


def history(*events: CommittedEvent, group: str = "2", component: str | None = None) -> tuple[list[RedPhase], Any]:
    """The red phases after these events, and the doubt that the last of them raised."""
    made, doubt = SignalHistory(group, component, 1000), None
    for one in events:
        doubt = made.take(one)
    return list(made.phases()), doubt


def pushed(seconds: float, state: str, sequence: int = 1, late_s: float = 0.1, **fields: Any) -> CommittedEvent:
    """A change that the controller told with its own time, as RSMP sites do."""
    moment = datetime.fromtimestamp(at_us(seconds - late_s) / 1e6, UTC)
    start_time = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    keys = {"source": "push", "resolution_ms": 0, "start_time": start_time, "kind": "", "component": "A"}
    return phase(seconds, state, sequence, **(keys | fields))


def test_red_is_sure_from_its_stamp_until_green_may_have_begun() -> None:
    phases, doubt = history(phase(10, "red", 7), phase(40, "green", 8, resolution_ms=300))
    assert (phases, doubt) == ([RedPhase(JOURNAL, 7, at_us(10), at_us(38.7), at_us(40))], None)
    assert history(phase(10, "red", 7))[0] == [RedPhase(JOURNAL, 7, at_us(10))]


@pytest.mark.parametrize("state", ["red_clearance", "red"])
def test_red_clearance_is_red_and_goes_over_into_it(state: str) -> None:
    phases, _ = history(phase(10, state, 7), phase(12, "red", 8), phase(40, "green", 9))
    assert phases == [RedPhase(JOURNAL, 7, at_us(10), at_us(38.9), at_us(40))]


@pytest.mark.parametrize(
    "state", ["red_yellow", "red_flashing", "yellow_flashing", "green_flashing", "yellow", "dark", "starting", "walk"]
)
def test_nothing_else_is_red(state: str) -> None:
    phases, doubt = history(phase(10, "red", 7), phase(38, state, 8), phase(39, "green", 9))
    assert (phases, doubt) == ([RedPhase(JOURNAL, 7, at_us(10), at_us(36.9), at_us(38))], None)
    assert history(phase(10, state))[0] == []


def test_who_begins_to_look_anew_knows_red_from_then_on_and_not_what_was_between() -> None:
    again = phase(20, "red", 8, cause="opening")
    assert history(phase(10, "red", 7), again)[0] == [RedPhase(JOURNAL, 8, at_us(20))]
    assert history(phase(10, "red", 7), phase(20, "green", 8, cause="opening"))[0] == []
    told_without_cause = phase(20, "red", 8, cause="")
    assert history(phase(10, "red", 7), told_without_cause)[0] == [RedPhase(JOURNAL, 7, at_us(10))]


@pytest.mark.parametrize(
    ("event", "is_ours"),
    [
        (phase(10, "red", group="2"), True),
        (phase(10, "red", kind=""), True),
        (phase(10, "red", group=12), False),
        (phase(10, "red", kind="pedestrian"), False),
        (phase(10, "red", kind="overlap"), False),
    ],
)
def test_only_the_groups_own_signal_for_vehicles_counts(event: CommittedEvent, *, is_ours: bool) -> None:
    assert bool(history(event)[0]) is is_ours


def test_components_that_have_the_same_group_must_be_told_apart() -> None:
    events = [pushed(10, "red", 7), pushed(12, "green", 8, component="B"), pushed(14, "red", 9)]
    assert history(*events) == ([], Doubt.AMBIGUOUS)
    (found,), _ = history(*events, component="A")
    assert found.sequence == 7


@pytest.mark.parametrize(
    ("fields", "doubt"),
    [
        ({"late_s": 0.79}, None),
        ({"late_s": -0.19}, None),
        ({"late_s": 0.81}, Doubt.LATE),
        ({"late_s": -0.21}, Doubt.LATE),
        ({"late_s": 7200.0}, Doubt.LATE),
        ({"start_time": None}, Doubt.LATE),
        ({"start_time": "2027-01-15T08:00:10"}, Doubt.LATE),  # of which zone?
        ({"start_time": "yesterday"}, Doubt.LATE),
        ({"source": "log"}, Doubt.COARSE),
        ({"resolution_ms": 1001}, Doubt.COARSE),
        ({"source": "poll", "resolution_ms": 3_600_000}, Doubt.COARSE),
    ],
)
def test_what_may_have_waited_on_its_way_is_no_proof(fields: dict[str, Any], doubt: Doubt | None) -> None:
    phases, found = history(pushed(10, "red", 7, **fields))
    assert (bool(phases), found) == (doubt is None, doubt)


def test_a_controllers_time_may_have_any_zone() -> None:
    there = datetime.fromtimestamp(at_us(9.9) / 1e6, timezone(timedelta(hours=5, minutes=30)))
    assert history(pushed(10, "red", start_time=there.isoformat()))[1] is None


def test_a_status_that_was_kept_and_comes_after_newer_ones_is_no_proof() -> None:
    current, kept = pushed(10, "green", 7, late_s=0.0), pushed(10.1, "red", 8, late_s=0.5)
    assert history(current, kept) == ([], Doubt.LATE)


def test_memory_is_bounded() -> None:
    events = [phase(second, "red" if second % 2 else "green", second + 1) for second in range(1000)]
    phases, _ = history(*events)
    assert len(phases) == PHASES_MAX
    assert phases[-1] == RedPhase(JOURNAL, 1000, at_us(999))


def test_the_phases_of_a_whole_program_are_those_of_the_light() -> None:
    steps = [one for one, _ in zip(SignalCycle(3, 0.5).steps(), range(400), strict=False) if one.kind == "vehicle"]
    of_phase = [one for one in steps if one.phase == 2]
    events = [phase(one.at / 10, one.state, number) for number, one in enumerate(of_phase, start=1)]
    phases, _ = history(*events)
    lit = [
        (at_us(first.at / 10), next(one.at for one in of_phase[index:] if one.state == "green"))
        for index, (before, first) in enumerate(pairwise(of_phase), start=1)
        if before.state == "yellow" and any(one.state == "green" for one in of_phase[index:])
    ]
    found = [(one.begun_us, one.until_us) for one in phases if one.until_us is not None]
    assert found == [(begun, at_us(end / 10 - 1.1)) for begun, end in lit][-len(found) :]
    assert len(found) > 3
