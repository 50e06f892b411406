"""Strict deterministic CBOR (RFC 8949 section 4.2.1), the subset that Wayside signs.

Values: None, bool, int (64 bit), bytes, str, Decimal (tag 4), list, dict. Map keys are integers or text, never both,
in bytewise order of their encodings. No floats, no indefinite lengths, no other tags. Whatever the bytes or the value,
nothing but CborError is raised.
"""

from __future__ import annotations

import decimal
import struct
from decimal import Decimal
from typing import Any

from .errors import CborError

DEPTH_MAX = 8
SIZE_MAX = 65_536
EXPONENT_MIN = -18
INT64_MAX = (1 << 63) - 1
_INT64_MIN = -(1 << 63)
_UINT64_MAX = (1 << 64) - 1
_DIGITS_MAX = 19  # of an int64

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_TAG_DECIMAL = 0xC4
_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}
# A head's additional information: below 24 the argument itself, then how many bytes follow (RFC 8949 section 3).
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_ARGUMENT_MIN = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}


_HEAD_BYTE = tuple(bytes((initial,)) for initial in range(256))
_HEAD_1, _HEAD_2, _HEAD_4, _HEAD_8 = (struct.Struct(form).pack for form in (">BB", ">BH", ">BI", ">BQ"))


def head(major: int, argument: int) -> bytes:
    """The shortest head of a data item: major type and argument. Raises CborError for what is not unsigned 64 bit."""
    if not 0 <= argument <= _UINT64_MAX:
        raise CborError("an integer outside 64 bits has no encoding here", 0)
    initial = major << 5
    if argument < _ARGUMENT_MIN[1]:
        return _HEAD_BYTE[initial | argument]
    if argument < _ARGUMENT_MIN[2]:
        return _HEAD_1(initial | 24, argument)
    if argument < _ARGUMENT_MIN[4]:
        return _HEAD_2(initial | 25, argument)
    if argument < _ARGUMENT_MIN[8]:
        return _HEAD_4(initial | 26, argument)
    return _HEAD_8(initial | 27, argument)


def byte_string(value: bytes) -> bytes:
    """The encoding of a byte string."""
    return head(_BYTES, len(value)) + value


def encode(value: Any) -> bytes:
    """The one encoding of `value`. Raises CborError for what the profile does not have (a float, say)."""
    return _encode(value, DEPTH_MAX)


def _encode(value: Any, depth: int) -> bytes:
    if value is None or isinstance(value, bool):
        return b"\xf6" if value is None else b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(_UINT, value) if value >= 0 else head(_NINT, -1 - value)
    if isinstance(value, bytes):
        return head(_BYTES, len(value)) + value
    if isinstance(value, str):
        return _encode_text(value)
    if depth == 0:
        raise CborError(f"nested deeper than {DEPTH_MAX}", 0)
    if isinstance(value, Decimal):
        mantissa, exponent = decimal_fraction(value)
        return b"\xc4\x82" + encode(exponent) + encode(mantissa)
    if isinstance(value, list | tuple):
        return head(_ARRAY, len(value)) + b"".join([_encode(one, depth - 1) for one in value])
    if isinstance(value, dict):
        return _encode_map(value, depth - 1)
    raise CborError(f"a {type(value).__name__} has no encoding here", 0)


def _encode_text(value: str) -> bytes:
    try:
        raw = value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CborError("text with a lone surrogate has no UTF-8", 0) from error
    return head(_TEXT, len(raw)) + raw


def _encode_map(value: dict[Any, Any], depth: int) -> bytes:
    kinds = {type(key) for key in value}
    if kinds - {int} and kinds - {str}:
        raise CborError("a map's keys must be all integers or all text", 0)
    members = sorted((_encode(key, 0), _encode(member, depth)) for key, member in value.items())
    return head(_MAP, len(members)) + b"".join(key + member for key, member in members)


def decimal_fraction(value: Decimal) -> tuple[int, int]:
    """(mantissa, exponent) of a decimal, trailing zeros kept.

    The mantissa is an integer, so two spellings of a number are not kept: a positive exponent is multiplied out
    (5E+3 is 5000), and a negative zero is zero (-0.00 is 0.00). Raises CborError for NaN, infinity, an exponent
    under -18 or a mantissa over int64.
    """
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise CborError(f"{value} is not a number", 0)
    if not EXPONENT_MIN <= exponent <= -EXPONENT_MIN or len(digits) > _DIGITS_MAX:
        raise CborError(f"a decimal of {len(digits)} digits and exponent {exponent} is out of range", 0)
    mantissa = int("".join(map(str, digits)))
    if exponent > 0:
        mantissa, exponent = mantissa * 10**exponent, 0
    mantissa = -mantissa if sign else mantissa
    if not _INT64_MIN <= mantissa <= INT64_MAX:
        raise CborError(f"{value} has more than 64 bits of digits", 0)
    return mantissa, exponent


def of_fraction(mantissa: int, exponent: int) -> Decimal:
    """The decimal `mantissa` times ten to the `exponent`, both in the range of `decimal_fraction`; exact."""
    return Decimal(mantissa).scaleb(exponent, _EXACT)


def decode(data: bytes) -> Any:
    """The value that `data` encodes. Raises CborError unless `data` is exactly what `encode` gives for it."""
    if len(data) > SIZE_MAX:
        raise CborError(f"{len(data)} bytes, at most {SIZE_MAX} are read", 0)
    value, end = _item(data, 0, DEPTH_MAX)
    if end != len(data):
        raise CborError("bytes after the end", end)
    return value


def _item(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    try:
        initial = data[start]
    except IndexError:
        raise CborError("ends too early", start) from None
    major, info = initial >> 5, initial & 31
    if major > _MAP:
        return _tag_or_simple(data, start, initial, depth)
    argument, position = (info, start + 1) if info < 24 else _argument(data, start, info)  # noqa: PLR2004 - RFC 8949 section 3
    if major == _UINT:
        return argument, position
    if major == _NINT:
        return -1 - argument, position
    if argument > len(data) - position:
        raise CborError("ends too early", start)
    if major == _BYTES:
        return data[position : position + argument], position + argument
    if major == _TEXT:
        return _text(data, position, position + argument), position + argument
    if depth == 0:
        raise CborError(f"nested deeper than {DEPTH_MAX}", start)
    if major == _ARRAY:
        return _array(data, position, argument, depth - 1)
    return _map(data, position, argument, depth - 1)


def _argument(data: bytes, start: int, info: int) -> tuple[int, int]:
    size = _ARGUMENT_BYTES.get(info)
    if size is None:
        raise CborError("an indefinite or reserved length", start)
    end = start + 1 + size
    if end > len(data):
        raise CborError("ends too early", start)
    argument = data[start + 1] if size == 1 else int.from_bytes(data[start + 1 : end], "big")
    if argument < _ARGUMENT_MIN[size]:
        raise CborError("a length or number that is not in its shortest form", start)
    return argument, end


def _text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise CborError("text that is not UTF-8", start + error.start) from None


def _array(data: bytes, position: int, count: int, depth: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(count):
        value, position = _item(data, position, depth)
        values.append(value)
    return values, position


def _map(data: bytes, start: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    values: dict[Any, Any] = {}
    position, previous, kind = start, b"", None
    for _ in range(count):
        begin = position
        key, position = _item(data, begin, 0)
        if type(key) is not kind and (kind is not None or type(key) not in (int, str)):
            raise CborError("a map's keys must be all integers or all text", begin)
        kind = type(key)
        encoded = data[begin:position]
        if encoded <= previous:
            raise CborError("a map's keys are repeated or out of order", begin)
        previous = encoded
        values[key], position = _item(data, position, depth)
    return values, position


def _tag_or_simple(data: bytes, start: int, initial: int, depth: int) -> tuple[Any, int]:
    if initial in _SIMPLE:
        return _SIMPLE[initial], start + 1
    if initial != _TAG_DECIMAL:
        kind = "a tag" if initial >> 5 == _TAG else "a float or simple value"
        raise CborError(f"{kind} that this format does not have", start)
    if data[start + 1 : start + 2] != b"\x82" or depth == 0:
        raise CborError("a decimal fraction that is not an array of two integers, or is nested too deep", start)
    exponent, position = _integer(data, start + 2)
    mantissa, end = _integer(data, position)
    if not (EXPONENT_MIN <= exponent <= 0 and _INT64_MIN <= mantissa <= INT64_MAX):
        raise CborError("a decimal fraction out of range", start)
    return of_fraction(mantissa, exponent), end


def _integer(data: bytes, start: int) -> tuple[int, int]:
    value, end = _item(data, start, 0)
    if type(value) is not int:
        raise CborError("a decimal fraction whose parts are not integers", start)
    return value, end


# The caller's context might round; 19 digits with an exponent of -18 never need to.
_EXACT = decimal.Context(prec=40)
