"""The check of the dev harness must itself be able to fail: each way in which a journal can be wrong is shown to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.device.config import CommonSettings
from edge.harness.check import check
from edge.harness.errors import HarnessError
from edge.harness.truth import Said, read_truth
from edge.harness.verdict import Recorded

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = 1_000_000.0


def tap(number: int, at: float, *, acknowledged: bool = True, zone: int | None = None) -> Said:
    data = {"direction": "in", "zone": number if zone is None else zone}
    return Said("gate-1", number, BEGIN + at, "fare.tap", data, sure=acknowledged, acknowledged=acknowledged)


def measured(number: int, at: float, value: str, *, sure: bool = True) -> Said:
    return Said("meter-1", number, BEGIN + at, "meter.reading", reading(value), sure=sure)


def reading(value: str) -> dict[str, Any]:
    return {"meter_id": "m", "registers": [{"obis": "1.8.0", "value": value}]}


class Journal:
    """Events as they would stand in a journal."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def add(self, device: str, kind: str, at: float, data: dict[str, Any] | None = None) -> Journal:
        self.events.append(Recorded(device, kind, BEGIN + at, data or {}, len(self.events) + 1))
        return self

    def tap(self, at: float, zone: int) -> Journal:
        return self.add("gate-1", "fare.tap", at, {"direction": "in", "zone": zone})

    def measured(self, at: float, value: str) -> Journal:
        return self.add("meter-1", "meter.reading", at, reading(value))


def started(device: str) -> Journal:
    return Journal().add("gw-1", "gateway.start", -10).add(device, "device.health", -9, {"state": "online"})


def problems(truth: list[Said], journal: Journal, common: CommonSettings | None = None) -> list[str]:
    device = truth[0].device
    verdicts = check({device: truth}, journal.events, {device: common} if common else {})
    return [problem for verdict in verdicts for problem in verdict.problems]


EVERY = CommonSettings("meter-1", "dsmr", record_every_s=0.0)


def test_a_journal_that_holds_what_was_said_holds() -> None:
    journal = started("gate-1").tap(1, 1).tap(2, 2).add("gw-1", "gateway.stop", 3)
    assert problems([tap(1, 1), tap(2, 2)], journal) == []


def test_an_acknowledged_event_that_is_missing_is_lost_even_in_a_gap() -> None:
    journal = started("gate-1").tap(1, 1).add("gw-1", "gateway.stop", 1.1)
    assert "acknowledged, and is not in the journal" in problems([tap(1, 1), tap(2, 2)], journal)[0]


def test_an_event_that_is_there_twice_is_told() -> None:
    journal = started("gate-1").tap(1, 1).tap(2, 1).add("gw-1", "gateway.stop", 3)
    assert "is in the journal twice" in problems([tap(1, 1)], journal)[0]


def test_two_things_that_are_the_same_may_be_there_twice() -> None:
    journal = started("gate-1").tap(1, 7).tap(2, 7).add("gw-1", "gateway.stop", 3)
    assert problems([tap(1, 1, zone=7), tap(2, 2, zone=7)], journal) == []


def test_a_value_that_nobody_said_is_told() -> None:
    journal = started("meter-1").measured(1, "1.5").add("gw-1", "gateway.stop", 3)
    told = problems([measured(1, 1, "1.50")], journal, EVERY)
    assert "was never said like this" in told[0]


def test_readings_in_another_order_than_said_are_told() -> None:
    journal = started("meter-1").measured(1, "2").measured(2, "1").add("gw-1", "gateway.stop", 3)
    assert any("is out of order" in one for one in problems([measured(1, 1, "1"), measured(2, 2, "2")], journal, EVERY))


def test_a_sure_reading_that_is_missing_without_a_gap_is_lost() -> None:
    journal = started("meter-1").measured(1, "1").measured(9, "3").add("gw-1", "gateway.stop", 20)
    truth = [measured(1, 1, "1"), measured(2, 5, "2"), measured(3, 9, "3")]
    assert "no gap is declared" in problems(truth, journal, EVERY)[0]


def test_what_was_damaged_may_be_missing() -> None:
    journal = started("meter-1").measured(1, "1").measured(9, "3").add("gw-1", "gateway.stop", 20)
    truth = [measured(1, 1, "1"), measured(2, 5, "2", sure=False), measured(3, 9, "3")]
    assert problems(truth, journal, EVERY) == []


@pytest.mark.parametrize(("said_at", "is_excused"), [(5, True), (9.5, True), (15, False)])
def test_a_device_that_is_told_offline_is_a_declared_gap_until_it_speaks_again(
    said_at: float, *, is_excused: bool
) -> None:
    journal = started("meter-1").measured(1, "1")
    journal.add("meter-1", "device.health", 4, {"state": "offline"})
    journal.add("meter-1", "device.health", 10, {"state": "online"}).measured(20, "3").add("gw-1", "gateway.stop", 30)
    truth = [measured(1, 1, "1"), measured(2, said_at, "2"), measured(3, 20, "3")]
    assert (problems(truth, journal, EVERY) == []) is is_excused


@pytest.mark.parametrize(("said_at", "is_excused"), [(6, True), (15, False)])
def test_a_gateway_that_was_killed_declares_the_time_since_its_last_event(said_at: float, *, is_excused: bool) -> None:
    journal = started("meter-1").measured(1, "1").add("gw-1", "gateway.heartbeat", 4)
    journal.add("gw-1", "gateway.start", 9).add("meter-1", "device.health", 10, {"state": "online"})
    journal.measured(20, "3").add("gw-1", "gateway.stop", 30)
    truth = [measured(1, 1, "1"), measured(2, said_at, "2"), measured(3, 20, "3")]
    assert (problems(truth, journal, EVERY) == []) is is_excused


def test_a_device_of_which_nothing_was_recorded_is_told() -> None:
    assert "none of the 2 things" in problems([measured(1, 1, "1"), measured(2, 2, "2")], Journal(), EVERY)[0]


def test_a_register_that_is_recorded_once_in_its_interval_is_thinned_and_a_missing_interval_is_lost() -> None:
    common = CommonSettings("meter-1", "dsmr", record_every_s=10.0)
    truth = [measured(number, number * 4, str(number)) for number in range(1, 9)]
    journal = started("meter-1").measured(4, "1").measured(12, "3").measured(20, "5").measured(32, "8")
    journal.add("gw-1", "gateway.stop", 40)
    assert problems(truth, journal, common) == []
    without = started("meter-1").measured(4, "1").measured(20, "5").measured(32, "8").add("gw-1", "gateway.stop", 40)
    assert len(problems(truth, without, common)) == 2


def test_a_state_that_is_told_again_may_be_left_out_and_a_changed_one_may_not() -> None:
    def bay(number: int, *, occupied: bool) -> Said:
        data = {"bay": "b", "occupied": occupied, "fcnt": number}
        return Said("park-1", number, BEGIN + number * 5, "parking.state", data, sure=True)

    journal = started("park-1").add("park-1", "parking.state", 5, {"bay": "b", "occupied": True, "fcnt": 1})
    journal.add("gw-1", "gateway.stop", 60)
    common = CommonSettings("park-1", "chirpstack")
    assert problems([bay(1, occupied=True), bay(2, occupied=True)], journal, common) == []
    assert problems([bay(1, occupied=True), bay(2, occupied=False)], journal, common) != []


@pytest.mark.parametrize(("state", "again_at", "is_right"), [(True, 9.2, True), (False, 9.2, False), (True, 5, False)])
def test_a_state_may_be_told_again_as_it_is_when_a_device_is_heard_again(
    *, state: bool, again_at: float, is_right: bool
) -> None:
    truth = [Said("door-1", 1, BEGIN + 1, "contact.state", {"contact": "door", "active": True}, sure=True)]
    journal = started("door-1").add("door-1", "contact.state", 1, {"contact": "door", "active": True})
    if again_at > 9:
        journal.add("gw-1", "gateway.start", 9)
    journal.add("door-1", "contact.state", again_at, {"contact": "door", "active": state})
    assert (problems(truth, journal.add("gw-1", "gateway.stop", 30)) == []) is is_right


@pytest.mark.parametrize(("changes_at", "is_right"), [(9.3, True), (8.5, True), (5.0, False)])
def test_a_state_that_is_told_again_may_change_in_that_moment(changes_at: float, *, is_right: bool) -> None:
    def lit(number: int, at: float, state: str) -> Said:
        return Said("signal-1", number, BEGIN + at, "signal.phase", {"group": 2, "state": state}, sure=True)

    truth = [lit(1, 1, "green"), lit(2, changes_at, "yellow")]
    journal = started("signal-1").add("signal-1", "signal.phase", 1, {"group": 2, "state": "green"})
    if not is_right:
        journal.add("signal-1", "signal.phase", changes_at, {"group": 2, "state": "yellow"})
    journal.add("gw-1", "gateway.start", 9).add("signal-1", "signal.phase", 9.2, {"group": 2, "state": "green"})
    if is_right:
        journal.add("signal-1", "signal.phase", 9.4, {"group": 2, "state": "yellow"})
    assert (problems(truth, journal.add("gw-1", "gateway.stop", 30)) == []) is is_right


def test_of_things_that_are_the_same_those_are_found_that_were_acknowledged_then() -> None:
    def same(number: int, at: float, *, acknowledged: bool) -> Said:
        return tap(number, at, zone=7, acknowledged=acknowledged)

    truth = [same(1, 1, acknowledged=True), same(2, 2, acknowledged=False), same(3, 3, acknowledged=True)]
    journal = started("gate-1").tap(1, 7).tap(3, 7).add("gw-1", "gateway.stop", 9)
    assert problems(truth, journal) == []


def test_of_readings_that_are_the_same_the_one_in_the_gap_is_the_missing_one() -> None:
    journal = started("meter-1").measured(1, "1").add("gw-1", "gateway.stop", 4).add("gw-1", "gateway.start", 6)
    journal.add("meter-1", "device.health", 6.1, {"state": "online"}).measured(9, "1").add("gw-1", "gateway.stop", 20)
    truth = [measured(1, 1, "1"), measured(2, 5, "1"), measured(3, 9, "1")]
    assert problems(truth, journal, EVERY) == []


def test_of_readings_that_are_the_same_the_damaged_one_a_second_later_is_the_missing_one() -> None:
    journal = started("meter-1").measured(1.1, "1").measured(3.1, "1").add("gw-1", "gateway.stop", 20)
    truth = [measured(1, 1, "1"), measured(2, 2, "1", sure=False), measured(3, 3, "1")]
    assert problems(truth, journal, EVERY) == []


def test_readings_that_are_the_same_and_come_late_all_at_once_are_each_found() -> None:
    journal = started("meter-1").measured(8, "1").measured(8.1, "1").measured(8.2, "1").add("gw-1", "gateway.stop", 20)
    assert problems([measured(number, number, "1") for number in (1, 2, 3)], journal, EVERY) == []


def test_a_star_in_the_truth_stands_for_what_only_the_gateway_knows() -> None:
    said = Said("gate-1", 1, BEGIN, "fare.tap", {"direction": "in", "card_sealed": "*"}, sure=True)
    journal = started("gate-1").add("gate-1", "fare.tap", 1, {"direction": "in", "card_sealed": "c2VhbGVk"})
    assert problems([said], journal.add("gw-1", "gateway.stop", 3)) == []


def test_a_finding_of_the_gateway_that_nothing_gave_reason_for_is_told() -> None:
    journal = started("meter-1").measured(1, "1").add("meter-1", "meter.status", 1, {"status": "fell"})
    assert (
        "nothing like it happened" in problems([measured(1, 1, "1")], journal.add("gw-1", "gateway.stop", 3), EVERY)[0]
    )


def test_a_device_that_no_truth_knows_is_told() -> None:
    verdicts = check({}, started("gate-1").tap(1, 1).events, {})
    assert any("never said like this" in problem for verdict in verdicts for problem in verdict.problems)


@pytest.mark.parametrize(("said_at", "is_excused"), [(-20, True), (6, False)])
def test_what_a_broker_keeps_is_lost_in_a_gap_but_not_before_the_gateway_was_ever_there(
    said_at: float, *, is_excused: bool
) -> None:
    journal = started("meter-1").measured(1, "1").add("gw-1", "gateway.stop", 4).add("gw-1", "gateway.start", 8)
    journal.add("meter-1", "device.health", 9, {"state": "online"}).measured(20, "3").add("gw-1", "gateway.stop", 30)
    truth = sorted((measured(1, 1, "1"), measured(2, said_at, "2"), measured(3, 20, "3")), key=lambda one: one.at)
    for one in truth:
        one.kept = True
    assert (problems(truth, journal, EVERY) == []) is is_excused


@pytest.mark.parametrize(
    ("before", "after", "is_true"),
    [
        ("260328233009W", "260328234009W", True),
        ("260328233009W", "260328233019W", False),
        ("260329015959W", "260329030009S", False),
    ],
)
def test_a_clock_jump_is_right_only_where_the_meters_clock_did_jump(before: str, after: str, *, is_true: bool) -> None:
    truth = [measured(1, 1, "1"), measured(2, 11, "2")]
    for one, time in zip(truth, (before, after), strict=True):
        one.data["meter_time"] = time
    journal = started("meter-1")
    for said in truth:
        journal.add("meter-1", "meter.reading", said.at - BEGIN, said.data)
    found = {"meter_id": "m", "status": "clock_jump", "meter_time_before": before, "meter_time": after}
    journal.add("meter-1", "meter.status", 11, found).add("gw-1", "gateway.stop", 30)
    assert (problems(truth, journal, EVERY) == []) is is_true


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{}", b"[]", b"nonsense", b" "])
def test_a_file_that_is_no_truth_is_told_with_its_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_bytes(content)
    with pytest.raises(HarnessError, match="line 1: is no line of a truth file"):
        read_truth(tmp_path / "truth.jsonl")
