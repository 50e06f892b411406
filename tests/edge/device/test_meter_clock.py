from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.device import meter_clock
from edge.device.meter_clock import MeterClockWatch, parse_meter_time

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - a meter's own time


def p1(seconds: float, season: str = "W") -> str:
    return f"{START + timedelta(seconds=seconds):%y%m%d%H%M%S}{season}"


def jumps(told: Iterable[tuple[float, str | None]]) -> list[int]:
    """The places at which a jump is told; `told` are (our monotonic seconds, the meter's time)."""
    watch = MeterClockWatch()
    return [place for place, (now_s, text) in enumerate(told) if list(watch.look("m-1", text, now_s))]


def test_a_clock_that_runs_is_no_jump() -> None:
    assert jumps((second, p1(second)) for second in range(600)) == []
    assert jumps((minute * 900, p1(minute * 900)) for minute in range(96)) == []


def test_a_clock_that_goes_back_is_told_once() -> None:
    assert jumps((second, p1(second - (300 if second >= 100 else 0))) for second in range(200)) == [100]


def test_a_clock_that_leaps_is_told_once() -> None:
    assert jumps((second, p1(second + (300 if second >= 100 else 0))) for second in range(200)) == [100]


@pytest.mark.parametrize("step_s", [-50, -5, 5, 50])
def test_a_clock_that_is_put_right_by_some_seconds_is_no_jump(step_s: int) -> None:
    assert jumps((second, p1(second + (step_s if second >= 100 else 0))) for second in range(200)) == []


@pytest.mark.parametrize(("before", "after"), [("S", "W"), ("W", "S")])
def test_summer_time_is_no_jump(before: str, after: str) -> None:
    step_s = -3600 if before == "S" else 3600
    told = [(second, p1(second, before) if second < 100 else p1(second + step_s, after)) for second in range(200)]
    assert jumps(told) == []


def test_an_hour_without_a_change_of_season_is_a_jump() -> None:
    assert jumps((second, p1(second + (3600 if second >= 100 else 0))) for second in range(200)) == [100]


def test_a_time_without_a_zone_may_step_by_an_hour_and_no_further() -> None:
    for step_s, expected in ((3600, []), (-3600, []), (7300, [100]), (-7300, [100])):
        told = [(second, p1(second + (step_s if second >= 100 else 0), "")) for second in range(200)]
        assert jumps(told) == expected


def test_a_capture_time_that_stands_still_for_an_hour_is_no_jump() -> None:
    """A gas meter behind a P1 port tells the time of its last capture; it was first seen half an hour after one."""
    assert jumps((second, p1((second + 1800) // 3600 * 3600)) for second in range(0, 20_000, 10)) == []


def test_a_capture_time_that_is_polled_out_of_step_is_no_jump() -> None:
    assert jumps((second, p1(second // 900 * 900)) for second in range(0, 40_000, 600)) == []


def test_telegrams_that_come_late_and_then_all_at_once_are_no_jump() -> None:
    running = [(float(second), p1(second)) for second in range(100)]
    late = [(700 + second / 1000, p1(second)) for second in range(100, 104)]
    assert jumps([*running, *late, *((float(second), p1(second)) for second in range(701, 800))]) == []


def test_a_meter_that_was_away_for_a_day_has_not_jumped() -> None:
    assert jumps([(0, p1(0)), (1, p1(1)), (86_400, p1(86_400)), (86_401, p1(86_401))]) == []


def test_a_meter_that_tells_no_time_or_one_that_is_none_is_left_alone() -> None:
    assert jumps([(0, None), (1, "1234567"), (2, "17"), (3, None), (4, "261399999999W"), (5, "")]) == []


def test_iso_times_are_read_with_and_without_a_zone() -> None:
    noon = parse_meter_time("2026-07-01T12:00:00Z")
    assert noon is not None
    assert noon == parse_meter_time("2026-07-01T14:00:00+02:00")
    naive = parse_meter_time("2026-07-01 12:00")
    assert naive is not None
    assert (naive.seconds, naive.zoned) == (noon.seconds, False)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_clock, "METERS_MAX", 3)
    watch = MeterClockWatch()
    for number in range(10):
        list(watch.look(str(number), p1(0), 0))
    assert len(watch._seen) == 3


@given(
    st.text()
    | st.from_regex(r"[0-9]{12}[SW]?", fullmatch=True)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z")
)
def test_any_text_is_a_time_or_none(text: str) -> None:
    parse_meter_time(text)
