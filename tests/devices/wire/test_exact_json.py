from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.wire.exact_json import parse_exact_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda members: st.lists(members, max_size=4) | st.dictionaries(st.text(), members, max_size=4),
)


def test_a_number_keeps_its_very_digits() -> None:
    value = parse_exact_json(b"[1234.5670, 0.1, 7, 1e3, -0.0, 123456789012345678.901234567]")
    assert [str(one) for one in value] == ["1234.5670", "0.1", "7", "1E+3", "-0.0", "123456789012345678.901234567"]
    assert [type(one) for one in value] == [Decimal, Decimal, int, Decimal, Decimal, Decimal]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": NaN}', "no number"),
        (b"-Infinity", "no number"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"1e99999999999999999999999", "out of all range"),
        (b"9" * 5000, "digits"),
        (b"[" * 60_000, "nested too deeply"),
    ],
)
def test_what_is_no_exact_json_is_refused_with_a_sentence(payload: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_exact_json(payload)


@given(VALUES)
def test_what_json_can_say_without_fractions_comes_back_as_it_was(value: Any) -> None:
    assert parse_exact_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
@example(b'"\\ud800"')
def test_any_bytes_give_a_value_or_a_value_error(payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_exact_json(payload)
