"""JSON with exact numbers: what has a fraction or an exponent becomes a Decimal of the very digits, never a float."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any


def parse_exact_json(payload: bytes) -> Any:
    """The value of a JSON text in UTF-8: integers as int, other numbers as Decimal.

    Raises ValueError with a sentence for anything else: NaN and Infinity, a key that stands twice (no one could say
    which counts), an integer of thousands of digits, nesting too deep for Python.
    """
    try:
        return json.loads(
            payload.decode("utf-8"), object_pairs_hook=_members, parse_float=_decimal, parse_constant=_no_number
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"the message is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise ValueError("the message is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"the message is not JSON: {error}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice in the message")
    return table


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent of twenty digits
        raise ValueError("a number in the message is out of all range") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} in the message is no number")
