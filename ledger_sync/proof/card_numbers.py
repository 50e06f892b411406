"""Card numbers in event data: found by their form, and refused (DESIGN 5)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from .errors import SchemaError

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


def refuse_card_numbers(data: dict[str, Any]) -> None:
    """Raises SchemaError, naming the field, where a value of `data`, nested maps included, holds a card number."""
    for name, value in data.items():
        if isinstance(value, dict):
            try:
                refuse_card_numbers(value)
            except SchemaError as error:
                raise SchemaError(str(error), name) from None
        elif holds_card_number(_written(value)):
            raise SchemaError("looks like a card number; send the validator's own pseudonym, never the card's", name)


def _written(value: str | int | Decimal) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)  # as in JSON, never with an exponent
