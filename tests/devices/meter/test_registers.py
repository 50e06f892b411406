from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.driver import Origin
from devices.meter.registers import (
    DEFAULT_PATTERNS,
    Meter,
    Register,
    RegisterFilter,
    can_be_signed,
    check_pattern,
    meter_readings,
)
from ledger_sync.proof import cbor
from ledger_sync.proof.event_types import SETTLING_DATA_BYTES_MAX, event_type


@pytest.mark.parametrize("obis", ["1-0:1.8.0", "1-0:1.8.1", "1-0:2.8.2", "1-0:16.7.0", "0-1:24.2.1", "0-4:24.2.3"])
def test_the_default_patterns_publish_energy_power_and_the_totals_of_sub_meters(obis: str) -> None:
    assert RegisterFilter(DEFAULT_PATTERNS).matches(obis)


@pytest.mark.parametrize(
    "obis", ["1-0:1.7.0", "1-0:11.8.0", "1-0:1.8.0*1", "1-0:116.7.0", "1-0:32.7.0", "0-1:24.1.0", "0-1:0024.2.1"]
)
def test_the_default_patterns_publish_nothing_else(obis: str) -> None:
    assert not RegisterFilter(DEFAULT_PATTERNS).matches(obis)


def test_a_full_pattern_matches_only_its_own_medium_and_channel() -> None:
    chosen = RegisterFilter(("1-0:1.8.x", "0-x:24.2.1"))
    assert chosen.matches("1-0:1.8.2")
    assert chosen.matches("0-3:24.2.1")
    assert not chosen.matches("2-0:1.8.2")


def test_no_patterns_publish_nothing() -> None:
    assert not RegisterFilter(()).matches("1-0:1.8.0")


@pytest.mark.parametrize("pattern", ["", "1.8", "1.8.*", "1-0:1.8", "x", "1.8.0*255", "1.8.0 "])
def test_a_pattern_that_could_never_match_is_refused_with_an_example(pattern: str) -> None:
    assert "must look like 1.8.x" in (check_pattern(pattern) or "")


@pytest.mark.parametrize("pattern", [*DEFAULT_PATTERNS, "1-0:1.8.0", "x-x:x.x.x"])
def test_a_pattern_that_can_match_is_accepted(pattern: str) -> None:
    assert check_pattern(pattern) is None


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        ("0.000", True),
        ("9223372036854775807", True),
        ("9223372036854775808", False),
        ("-9223372036854775808", True),
        ("0.000000000000000001", True),
        ("0.0000000000000000001", False),
    ],
)
def test_only_values_that_fit_a_decimal_fraction_of_the_event_can_be_signed(value: str, *, signed: bool) -> None:
    assert can_be_signed(Decimal(value)) is signed


def _meter(count: int) -> Meter:
    registers = tuple(Register(f"1-0:1.8.{index}", Decimal("10732309.1"), "Wh") for index in range(count))
    return Meter("0649534b010e1f66299a", "12345678", registers)


def test_a_meter_with_many_registers_gives_several_readings_that_each_can_be_signed() -> None:
    meter = _meter(13)
    readings = list(meter_readings(meter, RegisterFilter(DEFAULT_PATTERNS), "crc", Origin.CHECKSUM))
    assert len(readings) == 3
    for reading in readings:
        assert len(cbor.encode(reading.data)) <= SETTLING_DATA_BYTES_MAX
        assert event_type("meter.reading").check(reading.data) == reading.data
        assert reading.data["meter_id"] == meter.id
        assert reading.data["meter_time"] == meter.time
    published = [row["obis"] for reading in readings for row in reading.data["registers"]]
    assert published == [register.obis for register in meter.registers]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
_VALUES = st.builds(
    lambda mantissa, exponent: Decimal(mantissa).scaleb(-exponent),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, 18),
)
_LONGEST = Decimal(-(1 << 63)).scaleb(-18)
_ROWS = st.lists(st.tuples(st.integers(0, 255), _VALUES, _TEXTS), min_size=1, max_size=20)


@example("x" * 170, None, [(1, _LONGEST, "W")] * 2)
@example("€" * 60, "€", [(1, _LONGEST, "m³")] * 2)
@given(_TEXTS, st.none() | _TEXTS, _ROWS)
def test_a_reading_ends_where_the_next_register_would_be_too_much_and_nowhere_else(
    meter_id: str, time: str | None, rows: list[tuple[int, Decimal, str]]
) -> None:
    meter = Meter(meter_id, time, tuple(Register(f"1-0:1.8.{number}", value, unit) for number, value, unit in rows))
    readings = list(meter_readings(meter, RegisterFilter(DEFAULT_PATTERNS), "none", Origin.UNPROTECTED))
    for reading, following in pairwise(readings):
        registers = reading.data["registers"]
        one_more = {**reading.data, "registers": [*registers, following.data["registers"][0]]}
        assert len(cbor.encode(one_more)) > SETTLING_DATA_BYTES_MAX
    for reading in readings:
        assert len(reading.data["registers"]) == 1 or len(cbor.encode(reading.data)) <= SETTLING_DATA_BYTES_MAX


def test_a_meter_without_a_chosen_register_gives_no_reading() -> None:
    assert list(meter_readings(_meter(3), RegisterFilter(("2.8.x",)), "crc", Origin.CHECKSUM)) == []
