from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contact.pulse_counter import PulseCounter
from ledger_sync.proof.event_types import event_type

per_unit = st.decimals(Decimal("0.000001"), Decimal("999999999.999999"), places=6)


def value(pulses: int, pulses_per_unit: str) -> str:
    counter = PulseCounter("S0", Decimal(pulses_per_unit), "kWh")
    counter.resume({"counter": "S0", "pulses": pulses})
    return str(counter.data()["value"])


@pytest.mark.parametrize(
    ("pulses", "pulses_per_unit", "expected"),
    [
        (1000, "1000", "1.000"),
        (12, "800", "0.01500"),
        (3, "1", "3"),
        (3, "0.1", "30"),
        (7, "0.001", "7000"),
        (1, "375", "0.002666"),
        (375, "375", "1.000000"),
        (2, "187.5", "0.010666"),
    ],
)
def test_a_value_is_the_pulses_over_those_of_a_unit(pulses: int, pulses_per_unit: str, expected: str) -> None:
    assert value(pulses, pulses_per_unit) == expected


@given(st.integers(0, 10**9), per_unit)
def test_a_value_is_exact_or_rounded_down_by_less_than_a_millionth_and_can_be_signed(
    pulses: int, pulses_per_unit: Decimal
) -> None:
    counter = PulseCounter("S0", pulses_per_unit, "kWh")
    counter.pulses = pulses
    true = Fraction(pulses) / Fraction(pulses_per_unit)
    if true < 9_000_000_000:
        data = event_type("counter.total").check(counter.data())
        assert 0 <= true - Fraction(data["value"]) < Fraction(1, 10**6)


@given(st.integers(0, 10**9), per_unit)
def test_a_pulse_more_is_never_less(pulses: int, pulses_per_unit: Decimal) -> None:
    assert Decimal(value(pulses + 1, str(pulses_per_unit))) >= Decimal(value(pulses, str(pulses_per_unit)))


def test_without_pulses_per_unit_only_pulses_are_told() -> None:
    assert PulseCounter("S0", None, None).data() == {"counter": "S0", "pulses": 0}
