import decimal
import math
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof import cbor
from ledger_sync.proof.errors import CborError

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
CBOR_INTEGERS = st.integers(-(1 << 64), (1 << 64) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FRACTIONS = st.builds(lambda mantissa, places: Decimal(mantissa).scaleb(-places), INT64, st.integers(0, 18))
SCALARS = st.one_of(st.none(), st.booleans(), CBOR_INTEGERS, st.binary(max_size=40), TEXT, FRACTIONS)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(TEXT, inner, max_size=5),
        st.dictionaries(CBOR_INTEGERS, inner, max_size=5),
    )


VALUES = st.recursive(SCALARS, nested, max_leaves=12).filter(lambda value: depth_of(value) <= cbor.DEPTH_MAX)


def depth_of(value: Any) -> int:
    if isinstance(value, Decimal):
        return 1
    members = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(depth_of, members), default=0)


def identical(one: Any, other: Any) -> bool:
    """Equal, and of the same types and the same decimal places throughout."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return bool(one.keys() == other.keys()) and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(identical(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Decimal):
        return bool(one.as_tuple() == other.as_tuple())
    return bool(one == other)


def decodes_only_to_itself(raw: bytes) -> bool:
    """The law of the strict decoder: CborError, or a value of which `raw` is the encoding. True if it was decoded."""
    try:
        value = cbor.decode(raw)
    except CborError:
        return False
    assert cbor.encode(value) == raw
    return True


@given(VALUES)
def test_what_is_encoded_is_decoded_the_same(value: Any) -> None:
    assert identical(cbor.decode(cbor.encode(value)), value)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12))
def test_maps_with_text_keys_are_encoded_as_cbor2_does_canonically(value: Any) -> None:
    if depth_of(value) <= cbor.DEPTH_MAX:
        assert cbor.encode(value) == cbor2.dumps(value, canonical=True)


@given(VALUES)
def test_another_decoder_reads_what_is_encoded(value: Any) -> None:
    assert cbor2.loads(cbor.encode(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_decode_to_what_they_encode_or_are_refused(raw: bytes) -> None:
    decodes_only_to_itself(raw)


@given(VALUES.map(cbor.encode), st.data())
def test_a_changed_encoding_decodes_to_what_it_encodes_or_is_refused(raw: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(raw) - 1))
    length = data.draw(st.integers(0, 3))
    decodes_only_to_itself(raw[:position] + data.draw(st.binary(max_size=3)) + raw[position + length :])


@given(VALUES.map(cbor.encode))
def test_every_truncation_and_every_appended_byte_is_refused(raw: bytes) -> None:
    assert not any(decodes_only_to_itself(raw[:length]) for length in range(len(raw)))
    assert not decodes_only_to_itself(raw + b"\x00")


INVALID = {
    "empty": "",
    "bytes after the end": "0000",
    "23 in two bytes": "1817",
    "255 in three bytes": "1900ff",
    "65535 in five bytes": "1a0000ffff",
    "2**32-1 in nine bytes": "1b00000000ffffffff",
    "a length that is not minimal": "58016100",
    "reserved additional information": "1c",
    "indefinite bytes": "5f4100ff",
    "indefinite text": "7f6161ff",
    "indefinite array": "9f00ff",
    "indefinite map": "bf0000ff",
    "a break alone": "ff",
    "half float": "f93c00",
    "single float": "fa3f800000",
    "double float": "fb3ff0000000000000",
    "NaN": "f97e00",
    "undefined": "f7",
    "simple value 16": "f0",
    "simple value in two bytes": "f820",
    "false in two bytes": "f814",
    "text that is not UTF-8": "61ff",
    "text with a surrogate": "63eda080",
    "text with an overlong slash": "62c0af",
    "a repeated key": "a201000101",
    "integer keys out of order": "a202000100",
    "length-first order where bytewise is meant": "a22000186400",
    "keys of two kinds": "a20100616100",
    "a boolean key": "a1f500",
    "a null key": "a1f600",
    "a byte string as key": "a1410000",
    "an array as key": "a18000",
    "a decimal as key": "a1c482000100",
    "a map without its value": "a101",
    "an array of 2**63 items": "9b8000000000000000",
    "a map of 2**32 members": "baffffffff",
    "bytes of 2**64-1": "5bffffffffffffffff",
    "a date tag": "c000",
    "a bignum": "c24100",
    "an encoded item tag": "d81841f6",
    "a COSE tag inside": "d28480a0f640",
    "a tag in nine bytes": "db000000000000000400",
    "a decimal that is an integer": "c400",
    "a decimal of one part": "c48100",
    "a decimal of three parts": "c483000000",
    "a decimal with a boolean exponent": "c482f401",
    "a decimal with a boolean mantissa": "c48200f5",
    "a decimal with a text mantissa": "c482006131",
    "a decimal in a decimal": "c48200c4820001",
    "a decimal with a positive exponent": "c4820101",
    "a decimal with exponent -19": "c4823201",
    "a decimal over int64": "c482001b8000000000000000",
    "a decimal with a bignum mantissa": "c48200c24101",
    "a decimal of indefinite length": "c49f0001ff",
    "ten thousand decimal tags": "c4" * 10_000,
    "ten thousand arrays": "81" * 10_000 + "00",
    "nested nine deep": "81" * 9 + "00",
}


@pytest.mark.parametrize("name", INVALID)
def test_is_refused(name: str) -> None:
    with pytest.raises(CborError):
        cbor.decode(bytes.fromhex(INVALID[name]))


def test_eight_levels_are_read_and_written_and_nine_are_neither() -> None:
    value: Any = 0
    for _ in range(cbor.DEPTH_MAX):
        value = [value]
    assert cbor.decode(cbor.encode(value)) == value
    with pytest.raises(CborError, match="nested deeper than 8"):
        cbor.encode([value])
    with pytest.raises(CborError, match="nested deeper than 8"):
        cbor.decode(b"\x81" + cbor.encode(value))


def test_over_64_kib_is_refused_before_it_is_read() -> None:
    raw = cbor.byte_string(bytes(65_533))
    assert len(raw) == cbor.SIZE_MAX
    assert cbor.decode(raw) == bytes(65_533)
    with pytest.raises(CborError, match="at most 65536 are read"):
        cbor.decode(cbor.byte_string(bytes(65_534)))


def test_an_error_says_where() -> None:
    with pytest.raises(CborError, match=r"shortest form \(at byte 2\)") as caught:
        cbor.decode(bytes.fromhex("82001800"))
    assert caught.value.offset == 2


class Strange:
    """Nothing that CBOR knows."""


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        math.nan,
        1 << 64,
        -(1 << 64) - 1,
        10**5000,
        "\ud800",
        {1: 0, "a": 0},
        {True: 0},
        {None: 0},
        {b"": 0},
        {1, 2},
        Strange(),
        bytearray(1),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E-19"),
        Decimal("1E+400"),
        Decimal("0E+19"),
        Decimal(1 << 63),
        Decimal("1" * 5000),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) or value < 10**30 else "10**5000",
)
def test_has_no_encoding(value: Any) -> None:
    with pytest.raises(CborError):
        cbor.encode(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CborError, match="nested"):
        cbor.encode(value)


@pytest.mark.parametrize("argument", [-1, 1 << 64])
def test_a_head_carries_unsigned_64_bits_only(argument: int) -> None:
    with pytest.raises(CborError):
        cbor.head(0, argument)


@pytest.mark.parametrize(
    ("value", "fraction"),
    [
        ("1.50", (150, -2)),
        ("0.000", (0, -3)),
        ("-0.00", (0, -2)),
        ("5E+3", (5000, 0)),
        ("0E+18", (0, 0)),
        ("9223372036854775807", (9223372036854775807, 0)),
        ("-9.223372036854775808", (-9223372036854775808, -18)),
        ("1E-18", (1, -18)),
    ],
)
def test_a_decimal_keeps_its_places_and_its_number(value: str, fraction: tuple[int, int]) -> None:
    assert cbor.decimal_fraction(Decimal(value)) == fraction
    assert cbor.of_fraction(*fraction) == Decimal(value)


def test_the_callers_decimal_context_does_not_round() -> None:
    value = Decimal("-9.223372036854775807")
    with decimal.localcontext(prec=3):
        decoded = cbor.decode(cbor.encode(value))
    assert decoded.as_tuple() == value.as_tuple()
