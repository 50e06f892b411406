"""What a camera told, held against its road: each way in which it can be wrong is shown to the check."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from edge.harness.check import check
from edge.harness.truth import Said
from edge.harness.verdict import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.harness.verdict import DeviceVerdict

BEGIN = 1_000_000.0
"""A whole number of five seconds."""
CAMERA = "camera-1"
LIMIT = 13_889
END_S = 100


def happened(number: int, kind: str, at: float, **data: Any) -> Said:
    return Said(CAMERA, number, BEGIN + at, kind, {"lane": "in", **data}, sure=True)


def sped(number: int, at: float, speed_mm_s: int = 20_000) -> Said:
    return happened(number, "vehicle.speeding", at, speed_mm_s=speed_mm_s, limit_mm_s=LIMIT)


def passed(count: int, *, from_s: float = 7.5, every_s: float = 5.0) -> list[Said]:
    """Through the middle of each interval, and of one vehicle each."""
    made = {"direction": "approaching", "class": "light"}
    return [happened(at + 1, "vehicle.passage", from_s + at * every_s, **made) for at in range(count)]


class Journal:
    """Events as they would stand in a journal of a gateway that has long begun, and runs to `END_S`."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.add("gw-1", "gateway.start", -31).add(CAMERA, "device.health", -30, state="online")

    def add(self, device: str, kind: str, at: float, **data: Any) -> Journal:
        self.events.append(Recorded(device, kind, BEGIN + at, data, len(self.events) + 1))
        return self

    def sped(self, taken_s: float, *, speed_mm_s: int = 19_800, limit_mm_s: int = LIMIT, lane: str = "in") -> Journal:
        """Told 4 s later, as it is."""
        taken = {"lane": lane, "taken_us": round((BEGIN + taken_s) * 1e6)}
        measured = {"speed_mm_s": speed_mm_s, "uncertainty_mm_s": 600, "limit_mm_s": limit_mm_s}
        return self.add(CAMERA, "vehicle.speeding", taken_s + 4, **taken, **measured)

    def ran_red(self, taken_s: float) -> Journal:
        taken = {"lane": "in", "taken_us": round((BEGIN + taken_s) * 1e6)}
        return self.add(CAMERA, "vehicle.red_light", taken_s + 9, **taken, red_ms=2000)

    def counted(self, *counts: int, observed_s: int = 5) -> Journal:
        """The first one of the interval from 5 s to 10 s; each is told a little after its end."""
        for index, count in enumerate(counts):
            told = [{"class": "light", "count": count}] if count else []
            shared = {"interval_s": 5, "observed_s": observed_s, "lane": "in"}
            self.add(CAMERA, "vehicle.count", 10.3 + 5 * index, direction="approaching", counts=told, **shared)
            self.add(CAMERA, "vehicle.count", 10.3 + 5 * index, direction="departing", counts=[], **shared)
        return self


def verdict(truth: Sequence[Said], journal: Journal, *, stops_s: float = END_S) -> DeviceVerdict:
    journal.add("gw-1", "gateway.stop", stops_s)
    numbered = [
        Said(CAMERA, number, one.at, one.type, one.data, sure=True)
        for number, one in enumerate(sorted(truth, key=lambda one: one.at), 1)
    ]
    (found,) = check({CAMERA: numbered}, journal.events, {})
    return found


def test_violations_that_happened_hold_and_those_that_were_not_told_are_no_mistake() -> None:
    truth = [sped(1, 20), sped(2, 30), happened(3, "vehicle.red_light", 40)]
    found = verdict(truth, Journal().sped(20.4).ran_red(40.9))
    assert found.problems == []
    assert found.notes == [
        "vehicle.speeding: 2 happened, 1 of them told",
        "vehicle.red_light: 1 happened, 1 of them told",
    ]


@pytest.mark.parametrize(
    ("journal", "problem"),
    [
        (Journal().sped(25), "never happened"),
        (Journal().sped(20, lane="out"), "never happened"),
        (Journal().ran_red(20), "never happened"),
        (Journal().sped(20).sped(20.3), "is in the journal twice"),
        (Journal().sped(20, speed_mm_s=20_601), "off by more than its uncertainty, as it went 20000 mm/s"),
        (Journal().sped(20, limit_mm_s=8334), "another limit"),
    ],
    ids=["at another time", "in another lane", "of another kind", "twice", "another speed", "another limit"],
)
def test_a_violation_that_did_not_happen_like_this_is_told(journal: Journal, problem: str) -> None:
    (told,) = verdict([sped(1, 20)], journal).problems
    assert problem in told


def test_two_who_speed_one_after_the_other_are_two() -> None:
    journal = Journal().sped(20, speed_mm_s=20_100).sped(21, speed_mm_s=25_100)
    assert verdict([sped(1, 20.2), sped(2, 21.2, 25_000)], journal).problems == []


def test_a_passage_that_is_told_is_one_of_a_vehicle_that_passed() -> None:
    journal = Journal()
    for at in (12, 13, 13.5):
        journal.add(CAMERA, "vehicle.passage", at, lane="in", direction="approaching")
    (told,) = verdict(passed(2), journal.counted(1, 1)).problems
    assert "event 5 (vehicle.passage) is in the journal twice" in told


def test_counts_hold_as_totals_and_say_the_tolerance() -> None:
    found = verdict(passed(10), Journal().counted(1, 1, 0, 2, 1, 1, 1, 1, 1, 1))
    assert found.problems == []
    assert found.notes == [
        "lane in: 10 passed while it was watched, 10 were counted: 0 missed, 0 made up; allowed are 1 (2%, at least 1)"
    ]


@pytest.mark.parametrize(
    ("counts", "holds"), [([0] + 9 * [1], True), ([0, 0] + 8 * [1], False), ([4] + 9 * [1], False)]
)
def test_more_than_one_vehicle_missed_or_made_up_of_ten_is_told(counts: list[int], *, holds: bool) -> None:
    found = verdict(passed(10), Journal().counted(*counts))
    assert (found.problems == []) is holds


def test_of_a_hundred_and_fifty_vehicles_three_may_be_missed() -> None:
    truth = passed(150, from_s=6.6, every_s=0.312)
    by_interval = Counter(int(one.at - BEGIN) // 5 for one in truth)
    for missed, holds in ((3, True), (4, False)):
        counts = [by_interval[interval] - missed * (interval == 4) for interval in range(1, 11)]
        assert (verdict(truth, Journal().counted(*counts)).problems == []) is holds


def test_who_passes_at_the_end_of_an_interval_may_be_counted_in_the_next_and_at_the_end_of_all_not_at_all() -> None:
    truth = [*passed(3, from_s=9.9), *passed(3, from_s=10.1, every_s=4.9)]
    assert verdict(truth, Journal().counted(0, 2, 3)).problems == []


def test_who_passes_while_only_a_part_is_watched_may_be_missed_but_not_made_up() -> None:
    assert verdict(passed(3), Journal().counted(0, 0, 0, observed_s=2)).problems == []
    assert "made up" in verdict(passed(3), Journal().counted(2, 2, 2, observed_s=2)).problems[0]


def test_for_a_while_after_a_gap_who_passes_may_be_missed_but_not_made_up() -> None:
    for counts, holds in (([1, 0, 0, 0, 1], True), ([1, 0, 0, 0, 0, 0, 0], False), ([1, 3, 3, 1, 1], False)):
        journal = Journal().add("gw-1", "gateway.start", 10).add(CAMERA, "device.health", 10.1, state="online")
        found = verdict(passed(10), journal.counted(*counts, *(10 - len(counts)) * [1]))
        assert (found.problems == []) is holds


def test_intervals_that_nobody_told_are_lost_unless_a_gap_is_declared() -> None:
    late = Journal().counted(1, 1)
    assert "in no interval that was told" in verdict(passed(10), late).problems[-1]
    down = Journal().counted(1, 1)
    down.add("gw-1", "gateway.start", 60).add(CAMERA, "device.health", 61, state="online")
    assert verdict(passed(10), down).problems == []
    stopped = verdict(passed(10), Journal().counted(1, 1), stops_s=19.0)
    assert stopped.problems == []
    assert stopped.in_gaps == 8


def test_a_camera_of_which_nothing_was_recorded_is_told() -> None:
    assert "nothing of the 3 things that happened" in verdict(passed(3), Journal()).problems[0]


def test_a_road_on_which_nothing_happened_makes_every_event_one_that_was_made_up() -> None:
    found = check({}, Journal().sped(20).counted(2).events, {})
    assert len(found[0].problems) == 2
