"""Pulses into a total: sans-I/O.

A pulse output of a meter (S0, IEC 62053-31) closes once for each quantum that it measured; how many are a unit is on
the meter's plate, such as 1000 imp/kWh.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, Inexact
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES_MAX = 9
PLACES_ROUNDED = 6
_CONTEXT = Context(prec=40)


class PulseCounter:
    """The total of one counter. `pulses` is exact; `value` = pulses / pulses_per_unit.

    The value is exact too where a pulse is a decimal fraction of at most 9 places of a unit; else (as with 375
    imp/kWh) it is rounded down to 6 places, anew from `pulses` each time, so that no error adds up.
    """

    def __init__(self, counter: str, pulses_per_unit: Decimal | None, unit: str | None) -> None:
        self.pulses = 0
        self._counter, self._pulses_per_unit, self._unit = counter, pulses_per_unit, unit
        self._unit_of_a_pulse = None if pulses_per_unit is None else _exact_quotient(pulses_per_unit)

    def resume(self, last: Mapping[str, Any]) -> None:
        """Go on from the data of a `counter.total`; one of another counter is nothing to go on from."""
        if last["counter"] == self._counter:
            self.pulses = last["pulses"]

    def data(self) -> dict[str, Any]:
        """The data of a `counter.total`."""
        data: dict[str, Any] = {"counter": self._counter, "pulses": self.pulses}
        if self._pulses_per_unit is not None:
            data |= {"value": self._value(self._pulses_per_unit), "unit": self._unit}
        return data

    def _value(self, pulses_per_unit: Decimal) -> Decimal:
        if self._unit_of_a_pulse is not None:
            return _CONTEXT.multiply(Decimal(self.pulses), self._unit_of_a_pulse)
        quotient = _CONTEXT.divide(Decimal(self.pulses), pulses_per_unit)
        return quotient.quantize(Decimal(1).scaleb(-PLACES_ROUNDED), ROUND_DOWN, _CONTEXT)


def _exact_quotient(pulses_per_unit: Decimal) -> Decimal | None:
    """1 / pulses_per_unit, with its places and no exponent above 0; None where it has more than 9."""
    context = Context(prec=40, traps=[Inexact])
    try:
        quotient = context.divide(Decimal(1), pulses_per_unit)
    except Inexact:
        return None
    exponent = quotient.as_tuple().exponent
    assert isinstance(exponent, int), "neither infinite nor no number"
    if exponent < -PLACES_MAX:
        return None
    return quotient.quantize(Decimal(1)) if exponent > 0 else quotient
