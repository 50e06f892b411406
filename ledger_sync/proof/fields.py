"""Checks of single values in event data: each takes a value and returns it as it will be signed, or raises SchemaError.

JSON carries no decimals and no bytes, so a decimal may also come as a string and bytes as hexadecimal digits.
"""

from __future__ import annotations

import contextlib
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .cbor import INT64_MAX, decimal_fraction, of_fraction
from .errors import CborError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[Any], Any]


_DECIMAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_DECIMAL_CHARACTERS_MAX = 64


def text(length_max: int) -> Check:
    """Text of 1 to `length_max` characters."""

    def check(value: Any) -> str:
        if isinstance(value, str) and 0 < len(value) <= length_max:
            return value
        raise SchemaError(f"must be text of 1 to {length_max} characters")

    return check


def integer(low: int = -INT64_MAX - 1, high: int = INT64_MAX) -> Check:
    """An integer from `low` to `high`."""

    def check(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise SchemaError(f"must be an integer from {low} to {high}")

    return check


def calendar_date(value: Any) -> str:
    """A date as text (ISO 8601), such as 2026-11-23."""
    if isinstance(value, str) and len(value) == len("2026-11-23"):
        with contextlib.suppress(ValueError):
            date.fromisoformat(value)
            return value
    raise SchemaError("must be a date such as 2026-11-23")


def boolean(value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise SchemaError("must be true or false")


def octets(size: int) -> Check:
    """Exactly `size` bytes."""

    def check(value: Any) -> bytes:
        if isinstance(value, str) and len(value) == 2 * size:
            try:
                value = bytes.fromhex(value)
            except ValueError:
                value = b""
        if isinstance(value, bytes) and len(value) == size:
            return value
        raise SchemaError(f"must be {size} bytes")

    return check


def choice(*allowed: str) -> Check:
    """One of the given words."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise SchemaError(f"must be one of: {', '.join(allowed)}")

    return check


def decimal(value: Any) -> Decimal:
    """An exact decimal of at most 18 decimal places and 64 bits of digits; trailing zeros are kept.

    A string is written plainly, without an exponent. The result is what is signed: 5E+3 comes back as 5000 and -0.00
    as 0.00, the same numbers.
    """
    if isinstance(value, str) and len(value) <= _DECIMAL_CHARACTERS_MAX and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise SchemaError("must be a decimal, in JSON as a string such as '123.450'")
    try:
        mantissa, exponent = decimal_fraction(value)
    except CborError as error:
        raise SchemaError("must be a decimal of at most 18 places and 18 digits") from error
    # Most values are in their signed form already, and this is the hot path.
    if mantissa and value.as_tuple().exponent == exponent:
        return value
    return of_fraction(mantissa, exponent)


def optional(check: Check) -> Check:
    """What `check` allows, or null."""
    return lambda value: None if value is None else check(value)


def either(first: Check, second: Check) -> Check:
    """What the first check allows, or else the second."""

    def check(value: Any) -> Any:
        try:
            return first(value)
        except SchemaError:
            return second(value)

    return check


def array(item: Check, count_min: int, count_max: int) -> Check:
    """A list of `count_min` to `count_max` items."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or not count_min <= len(value) <= count_max:
            raise SchemaError(f"must be a list of {count_min} to {count_max} items")
        checked = []
        for index, one in enumerate(value):
            try:
                checked.append(item(one))
            except SchemaError as error:
                raise SchemaError(str(error), f"[{index}]") from None
        return checked

    return check


_NAME = re.compile(r"[a-z_.]{1,40}")


def tellable(name: Any) -> str:
    """A name that a device sent, if names look like that; whatever else it may be, a card number say, is not told."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "(a name that is no name)"


def record(required: Mapping[str, Check], allowed: Mapping[str, Check] | None = None) -> Check:
    """A map with all of `required`, any of `allowed`, and nothing else."""
    checks = {**required, **(allowed or {})}
    needed = len(required)

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise SchemaError("must be a map with text keys")
        checked = {}
        missing = needed
        for name, one in value.items():
            field_check = checks.get(name)
            if field_check is None:
                raise SchemaError(f"is not a field of this type; it has {', '.join(checks) or 'none'}", tellable(name))
            try:
                checked[name] = field_check(one)
            except SchemaError as error:
                raise SchemaError(str(error), name) from None
            missing -= name in required
        if missing:
            raise SchemaError("is required", next(name for name in required if name not in value))
        return checked

    return check
