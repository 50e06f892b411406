from devices.camera.counting import LaneCounts
from ledger_sync.proof.event_types import event_type
from tests.devices.camera.making import count_crossing, frame


def test_an_interval_is_told_with_the_first_frame_after_it_zeros_included() -> None:
    counts = LaneCounts(["1", "2"], 10)
    for tenth in range(95):
        assert counts.take(frame(tenth / 10)) == []
    counts.count(count_crossing(1, 9.5))
    counts.count(count_crossing(2, 9.6))
    told = [row for tenth in range(95, 101) for row in counts.take(frame(tenth / 10))]
    assert [(row["lane"], row["direction"], row["counts"]) for row in told] == [
        ("1", "approaching", [{"class": "light", "count": 2}]),
        ("1", "departing", []),
        ("2", "approaching", []),
        ("2", "departing", []),
    ]
    assert all(event_type("vehicle.count").check(row) == row for row in told)
    assert {row["interval_s"] for row in told} == {10}


def test_a_vehicle_is_told_in_one_interval_only() -> None:
    counts = LaneCounts(["1"], 10)
    counts.take(frame(0))
    counts.count(count_crossing(1, 1))
    assert counts.take(frame(10))[0]["counts"] == [{"class": "light", "count": 1}]
    assert counts.take(frame(20))[0]["counts"] == []


def test_what_the_camera_did_not_see_of_an_interval_is_told() -> None:
    counts = LaneCounts(["1"], 10)
    for at_s in (0.0, 0.5, 1.0, 4.0, 4.5):  # blind for three seconds, and again at the end
        counts.take(frame(at_s))
    assert {row["observed_s"] for row in counts.take(frame(12.0))} == {1}


def test_what_lies_between_two_epochs_was_not_seen() -> None:
    counts = LaneCounts(["1"], 10)
    for at_s, epoch in ((0.0, 1), (1.0, 1), (1.5, 2), (2.5, 2)):
        counts.take(frame(at_s, epoch=epoch))
    assert {row["observed_s"] for row in counts.take(frame(10.0, epoch=2))} == {2}


def test_utc_that_is_set_back_tells_the_interval_in_parts_and_loses_nothing() -> None:
    counts = LaneCounts(["1"], 10)
    counts.take(frame(15))
    counts.count(count_crossing(1, 15))
    before = counts.take(frame(16, step_s=-3600))
    counts.count(count_crossing(2, 17))
    after = counts.take(frame(25, step_s=-3600))
    assert [rows[0]["counts"] for rows in (before, after)] == [[{"class": "light", "count": 1}]] * 2


def test_the_open_interval_can_be_told_at_the_end_of_a_file() -> None:
    counts = LaneCounts(["1"], 10)
    assert counts.finish() == []
    counts.take(frame(1))
    counts.count(count_crossing(1, 1))
    assert counts.finish()[0]["counts"] == [{"class": "light", "count": 1}]
