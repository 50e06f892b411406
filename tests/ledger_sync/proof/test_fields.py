from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof import cbor, fields
from ledger_sync.proof.errors import SchemaError

RECORD = fields.record({"a": fields.integer()}, {"list": fields.array(fields.text(3), 1, 2)})


@pytest.mark.parametrize(
    ("check", "given_value", "result"),
    [
        (fields.text(3), "abc", "abc"),
        (fields.integer(0, 5), 5, 5),
        (fields.octets(2), b"\x01\xff", b"\x01\xff"),
        (fields.octets(2), "01ff", b"\x01\xff"),
        (fields.choice("in", "out"), "in", "in"),
        (fields.optional(fields.text(3)), None, None),
        (fields.optional(fields.text(3)), "a", "a"),
        (fields.either(fields.integer(), fields.decimal), "1.5", Decimal("1.5")),
        (fields.array(fields.integer(), 1, 2), (1, 2), [1, 2]),
        (RECORD, {"list": ["x"], "a": 1}, {"list": ["x"], "a": 1}),
    ],
)
def test_a_value_that_fits_comes_back_as_it_is_signed(check: fields.Check, given_value: Any, result: Any) -> None:
    checked = check(given_value)
    assert checked == result
    assert type(checked) is type(result)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (fields.text(3), ""),
        (fields.text(3), "abcd"),
        (fields.text(3), 1),
        (fields.text(3), None),
        (fields.integer(0, 5), 6),
        (fields.integer(0, 5), -1),
        (fields.integer(0, 5), True),
        (fields.integer(0, 5), 1.0),
        (fields.integer(0, 5), "1"),
        (fields.integer(0, 5), Decimal(1)),
        (fields.integer(), 1 << 63),
        (fields.octets(2), "01f"),
        (fields.octets(2), "0 1f"),
        (fields.octets(2), "01 ff"),
        (fields.octets(2), "xxxx"),
        (fields.octets(2), b"\x00"),
        (fields.octets(2), 257),
        (fields.choice("in", "out"), "IN"),
        (fields.choice("in", "out"), ["in"]),
        (fields.optional(fields.text(3)), 0),
        (fields.array(fields.integer(), 1, 2), []),
        (fields.array(fields.integer(), 1, 2), [1, 2, 3]),
        (fields.array(fields.integer(), 1, 2), {1: 1}),
        (fields.array(fields.integer(), 1, 2), "12"),
        (RECORD, []),
        (RECORD, {}),
        (RECORD, {"a": 1, "b": 2}),
        (RECORD, {"a": 1, 2: 2}),
        (RECORD, {"a": None}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(check: fields.Check, value: Any) -> None:
    with pytest.raises(SchemaError):
        check(value)


def test_an_error_names_the_path_of_the_field() -> None:
    with pytest.raises(SchemaError, match=r"^list: \[1\]: must be text") as caught:
        RECORD({"a": 1, "list": ["x", ""]})
    assert caught.value.field == "list"
    with pytest.raises(SchemaError, match=r"^a: is required"):
        RECORD({"list": ["x"]})


@pytest.mark.parametrize(
    "value", ["123.450", "-0.001", "+7", "0", "007.50", "9223372036854775807", "-9.223372036854775808"]
)
def test_a_plainly_written_decimal_keeps_its_number_and_places(value: str) -> None:
    assert fields.decimal(value).as_tuple() == Decimal(value).as_tuple()


@pytest.mark.parametrize(("value", "signed"), [("-0.00", "0.00"), ("5E+3", "5000"), ("-0", "0"), ("0E+5", "0")])
def test_a_decimal_comes_back_as_it_is_signed(value: str, signed: str) -> None:
    assert str(fields.decimal(Decimal(value))) == signed


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "1,5",
        ".5",
        "5.",
        "1e3",
        "1E+400",
        "NaN",
        "Infinity",
        "0x10",
        "--1",
        "٣",
        "1" * 5000,
    ],
    ids=lambda value: repr(value)[:12],
)
def test_text_that_is_no_plain_decimal_is_refused(value: str) -> None:
    with pytest.raises(SchemaError):
        fields.decimal(value)


@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, None, b"1", [1]]
    + [Decimal(one) for one in ("NaN", "sNaN", "-Infinity", "1E+400", "1E-19", "9223372036854775808", "1" * 5000)],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_exact_decimal_in_range_is_refused(value: Any) -> None:
    with pytest.raises(SchemaError):
        fields.decimal(value)


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text(max_size=20))
def test_any_decimal_is_refused_or_survives_its_encoding(value: Decimal | str) -> None:
    try:
        checked = fields.decimal(value)
    except SchemaError:
        return
    decoded = cbor.decode(cbor.encode(checked))
    assert decoded.as_tuple() == checked.as_tuple()
    assert decoded == Decimal(value)
