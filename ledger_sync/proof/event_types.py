"""The table of event types: what a driver can say, with one schema each (DESIGN 5).

A type is in this table once something emits it. Numbers are integers in the unit that their name carries, or exact
decimals; there are no floats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .cbor import INT64_MAX
from .errors import SchemaError
from .fields import array, choice, decimal, either, integer, octets, optional, record, tellable, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTLING_DATA_BYTES_MAX = 300
SETTLING_STATEMENT_BYTES_MAX = 640
STATEMENT_BYTES_MAX = 4096
# What surrounds the data of a statement is as large as in a settling one, at the most.
DATA_BYTES_MAX = STATEMENT_BYTES_MAX - (SETTLING_STATEMENT_BYTES_MAX - SETTLING_DATA_BYTES_MAX)

GATEWAY_PREFIX = "gateway."


@dataclass(frozen=True, slots=True)
class EventType:
    """One row: name, schema version, whether money is settled on it, and the check of its data.

    `check` returns the data as it will be signed, or raises SchemaError.
    """

    name: str
    version: int
    settles: bool
    check: Callable[[Any], dict[str, Any]]

    @property
    def data_bytes_max(self) -> int:
        """How large its encoded data may be."""
        return SETTLING_DATA_BYTES_MAX if self.settles else DATA_BYTES_MAX


_PAN_DIGITS = range(12, 20)
# Greedy, so that what it finds is a maximal run; shorter ones are of no interest.
_DIGIT_RUN = re.compile(r"\d(?:[ -]?\d){11,}")


def holds_card_number(value: str) -> bool:
    """Whether text holds a maximal run of 12 to 19 digits that passes Luhn (ISO/IEC 7812-1 annex B).

    A single space or hyphen between two digits is ignored; anything else, two of them too, ends the run.
    """
    if len(value) < _PAN_DIGITS.start:
        return False
    for run in _DIGIT_RUN.findall(value):
        digits = [int(one) for one in run if one not in " -"]
        if len(digits) in _PAN_DIGITS and _luhn(digits):
            return True
    return False


def _luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _refuse_card_numbers(data: dict[str, Any]) -> None:
    for name, value in data.items():
        if isinstance(value, dict):
            try:
                _refuse_card_numbers(value)
            except SchemaError as error:
                raise SchemaError(str(error), name) from None
        elif holds_card_number(_written(value)):
            raise SchemaError("looks like a card number; send the validator's own pseudonym, never the card's", name)


def _written(value: str | int | Decimal) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)  # as in JSON, never with an exponent


_METER_READING = record(
    {
        "meter_id": text(64),
        "meter_time": optional(text(32)),
        "integrity": choice("crc", "none"),
        "registers": array(record({"obis": text(24), "value": decimal, "unit": text(16)}), 1, 16),
    }
)

_label = either(text(32), integer())
_tap_fields = record(
    {"direction": choice("in", "out")},
    {
        "token": text(64),
        "card_sealed": text(192),
        "product": _label,
        "zone": _label,
        "result": text(32),
        "auth": choice("card", "bio", "both"),
        "bio": record({"result": text(32)}, {"score": either(integer(), decimal)}),
    },
)


def _fare_tap(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = _tap_fields(value)
    if "token" in data and "card_sealed" in data:
        raise SchemaError("a tap has a token or a sealed card, not both", "token")
    _refuse_card_numbers(data)
    return data


_count = integer(0, INT64_MAX)

_TYPES = (
    EventType("meter.reading", 1, settles=True, check=_METER_READING),
    EventType("fare.tap", 1, settles=True, check=_fare_tap),
    EventType(
        "device.health",
        1,
        settles=False,
        check=record(
            {"state": choice("online", "offline")},
            {"reason": text(300), "errors": _count, "resyncs": _count, "bytes_dropped": _count},
        ),
    ),
    EventType(
        "gateway.start",
        1,
        settles=False,
        check=record({"software": text(64), "configuration_sha256": octets(32)}),
    ),
    EventType("gateway.stop", 1, settles=False, check=record({"reason": text(64)})),
    EventType("gateway.heartbeat", 1, settles=False, check=record({})),
    EventType("gateway.clock", 1, settles=False, check=record({"step_us": integer()})),
    EventType(
        "gateway.gap",
        1,
        settles=False,
        check=record(
            {
                "reason": text(300),
                "journal": optional(octets(16)),
                "batch": optional(_count),
                "sequence": optional(_count),
                "readings_lost": optional(_count),
            }
        ),
    ),
)

EVENT_TYPES: Mapping[str, EventType] = {one.name: one for one in _TYPES}


def event_type(name: str) -> EventType:
    """The row of a type. Raises SchemaError for a type that is not in the table."""
    row = EVENT_TYPES.get(name)
    if row is None:
        raise SchemaError(f"{tellable(name)} is no event type; known are {', '.join(EVENT_TYPES)}", "type")
    return row
