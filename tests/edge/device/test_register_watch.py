from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.device import register_watch
from edge.device.register_watch import RegisterWatch


def look(
    watch: RegisterWatch, value: str, now_s: float, obis: str = "1-0:1.8.0", unit: str = "kWh", meter: str = "m-1"
) -> list[Any]:
    return [one["status"] for one in watch.look(meter, [{"obis": obis, "value": Decimal(value), "unit": unit}], now_s)]


def told(before: str, after: str, seconds: float = 1.0, **register: str) -> list[Any]:
    watch = RegisterWatch()
    assert look(watch, before, 0, **register) == []
    return look(watch, after, seconds, **register)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("100", "99.999", "fell"),
        ("100", "50", "fell"),
        ("100", "1.001", "fell"),
        ("100", "1", "reset"),
        ("99999.9", "0.3", "reset"),
        ("0.5", "0", "reset"),
        ("10", "-1", "fell"),
        ("-1", "-2", "fell"),
    ],
)
def test_a_total_that_falls_is_told_and_one_that_begins_anew_is_a_reset(before: str, after: str, status: str) -> None:
    assert told(before, after) == [status]


@pytest.mark.parametrize(
    "obis", ["1-0:1.8.0", "1-0:2.8.2", "1.8.0", "1-0:15.8.0", "0-1:24.2.1", "24.2.3", "1-1:1.8.0*255"]
)
def test_totals_are_watched(obis: str) -> None:
    assert told("2", "1", obis=obis) == ["fell"]


@pytest.mark.parametrize(
    "obis", ["1-0:16.7.0", "1-0:1.7.0", "1-0:32.7.0", "1-0:1.6.0", "1-0:16.8.0", "1-0:36.8.0", "0-1:24.3.0", "power"]
)
def test_what_may_fall_by_right_is_not_watched(obis: str) -> None:
    assert told("2", "1", obis=obis) == []


@pytest.mark.parametrize(
    ("rise", "seconds", "unit", "obis", "status"),
    [
        ("80", 1, "kWh", "1-0:1.8.0", []),
        ("90", 1, "kWh", "1-0:1.8.0", ["jumped"]),
        ("90000", 1, "Wh", "1-0:1.8.0", ["jumped"]),
        ("90", 1, "kvarh", "1-0:3.8.0", ["jumped"]),
        ("4900", 3600, "kWh", "1-0:1.8.0", []),
        ("5500", 3600, "kWh", "1-0:1.8.0", ["jumped"]),
        ("900", 1, "m³", "0-1:24.2.1", []),
        ("1100", 1, "m3", "0-1:24.2.1", ["jumped"]),
        ("19", 1, "GJ", "0-1:24.2.1", ["jumped"]),
        ("1000000", 1, "parsec", "1-0:1.8.0", []),
    ],
)
def test_a_total_jumps_when_no_supply_could_have_fed_its_rise(
    rise: str, seconds: float, unit: str, obis: str, status: list[str]
) -> None:
    assert told("0", rise, seconds, unit=unit, obis=obis) == status


def test_a_total_that_stands_for_hours_and_then_catches_up_has_not_jumped() -> None:
    watch = RegisterWatch()
    for second in range(0, 36_000, 60):
        assert look(watch, "5", second) == []
    assert look(watch, "305", 36_000) == []


def test_a_finding_is_told_once_with_the_values_as_they_are() -> None:
    watch = RegisterWatch()
    look(watch, "10.00", 0)
    row = {"obis": "1-0:1.8.0", "value": Decimal("9.90"), "unit": "kWh"}
    (found,) = watch.look("m-1", [row], 1)
    assert found == {
        "status": "fell",
        "obis": "1-0:1.8.0",
        "before": Decimal("10.00"),
        "after": Decimal("9.90"),
        "unit": "kWh",
    }
    assert list(watch.look("m-1", [row], 2)) == []


def test_meters_registers_and_units_do_not_stand_for_each_other() -> None:
    watch = RegisterWatch()
    look(watch, "10", 0)
    assert look(watch, "5", 1, meter="m-2") == look(watch, "5", 1, obis="1-0:2.8.0") == []
    assert look(watch, "9000", 1, unit="Wh") == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_watch, "REGISTERS_MAX", 3)
    watch = RegisterWatch()
    for number in range(10):
        look(watch, "1", 0, meter=str(number))
    assert len(watch._seen) == 3


@given(st.lists(st.integers(0, 83_000), max_size=50))
def test_a_meter_at_any_load_that_a_kerb_can_feed_is_never_told(watt_hours_a_minute: list[int]) -> None:
    watch, total = RegisterWatch(), 0
    for minute, rise in enumerate(watt_hours_a_minute):
        total += rise
        assert look(watch, str(total), 60 * minute, unit="Wh") == []
