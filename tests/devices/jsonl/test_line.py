from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import Origin, Reading
from devices.jsonl.line import LINE_BYTES_MAX, LineSplitter, RefusedLine, acknowledgement, parse_line, refusal

TAP = b'{"id":"t1","type":"fare.tap","data":{"direction":"in"}}'


def tap(data: str) -> bytes:
    return b'{"id":"t1","type":"fare.tap","data":%s}' % data.encode("utf-8")


def split(data: bytes, sizes: list[int] | None = None) -> list[bytes | RefusedLine]:
    splitter = LineSplitter()
    return [line for piece in pieces(data, sizes or [len(data) or 1]) for line in splitter.feed(piece)]


def test_a_line_is_a_reading_with_its_id() -> None:
    assert parse_line(TAP + b"\r") == Reading("fare.tap", {"direction": "in"}, Origin.UNPROTECTED, "t1")


def test_integers_of_64_bits_texts_lists_and_objects_pass_as_they_are() -> None:
    data = {"a": 2**63 - 1, "b": -(2**63), "c": ["ä", None, True], "d": {"e": "1.50"}, "f": "\U0001f600"}
    for text in (json.dumps(data), json.dumps(data, ensure_ascii=False)):
        reading = parse_line(tap(text))
        assert isinstance(reading, Reading)
        assert reading.data == data


@pytest.mark.parametrize("number", ["1.5", "1.0", "1e3", "-0.0", "1E400", "NaN", "Infinity", "-Infinity"])
def test_a_fraction_anywhere_is_refused_by_id_with_its_mend(number: str) -> None:
    for data in (f'{{"x":{number}}}', f'{{"x":[{{"y":{number}}}]}}'):
        refused = parse_line(tap(data))
        assert isinstance(refused, RefusedLine)
        assert refused.id == "t1"
        assert "send an integer or a decimal string" in refused.why


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1" * 3000])
def test_an_integer_beyond_64_bits_is_refused_by_id(number: str) -> None:
    refused = parse_line(tap(f'{{"x":{number}}}'))
    assert isinstance(refused, RefusedLine)
    assert refused.id == "t1"
    assert "decimal string" in refused.why
    assert len(refused.why) < 200


@pytest.mark.parametrize(
    ("line", "line_id", "why"),
    [
        (b"hello", None, "not JSON"),
        (b"{", None, "not JSON"),
        (b"[]", None, "one object"),
        (b'"x"', None, "one object"),
        (b"1.5", None, "one object"),
        (TAP + TAP, None, "not JSON"),
        (b"\xff" + TAP, None, "not UTF-8"),
        (b"\xef\xbb\xbf" + TAP, None, "not JSON"),
        (b"[" * 4000, None, "the line is n"),  # nested too deeply, or not JSON: newer Pythons look further
        (b'{"a":' * 800, None, "not"),
        (b"{}", None, "id must be"),
        (b'{"id":"","type":"fare.tap","data":{}}', None, "id must be"),
        (b'{"id":7,"type":"fare.tap","data":{}}', None, "id must be"),
        (b'{"id":"\\ud800","type":"fare.tap","data":{}}', None, "surrogate"),
        (b'{"id":"%s","type":"fare.tap","data":{}}' % ("ä" * 33).encode(), None, "id must be"),
        (b'{"id":"a","id":"b","type":"fare.tap","data":{}}', None, "'id' stands twice"),
        (b'{"id":"t1","type":"fare.tap"}', "t1", "exactly id, type, data"),
        (b'{"id":"t1","type":"fare.tap","data":{},"x":1}', "t1", "exactly id, type, data"),
        (b'{"id":"t1","type":3,"data":{}}', "t1", "type must be"),
        (b'{"id":"t1","type":"","data":{}}', "t1", "type must be"),
        (b'{"id":"t1","type":"gateway.stop","data":{}}', "t1", "the gateway's own"),
        (b'{"id":"t1","type":"fare.tap","data":[]}', "t1", "data must be an object"),
        (tap('{"x":1,"x":1}'), "t1", "'x' stands twice"),
        (tap('{"x":"\\ud800"}'), "t1", "surrogate"),
        (tap('{"\\udfff":1}'), "t1", "surrogate"),
    ],
)
def test_a_line_that_is_no_reading_is_refused_with_the_reason(line: bytes, line_id: str | None, why: str) -> None:
    refused = parse_line(line)
    assert isinstance(refused, RefusedLine)
    assert refused.id == line_id
    assert why in refused.why


def test_an_id_of_64_bytes_is_the_longest() -> None:
    reading = parse_line(b'{"id":"%s","type":"fare.tap","data":{}}' % ("ä" * 32).encode())
    assert isinstance(reading, Reading)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reading_or_a_refusal_that_can_be_sent(line: bytes) -> None:
    result = parse_line(line)
    assert isinstance(result, Reading | RefusedLine)
    if isinstance(result, RefusedLine):
        assert json.loads(refusal(result)) == {"refused": result.id, "why": result.why}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_data_without_fractions_comes_through_unchanged(data: dict[str, Any]) -> None:
    reading = parse_line(tap(json.dumps(data)))
    assert isinstance(reading, Reading)
    assert reading.data == data


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"{}", b"x" * 3000]), max_size=12), st.data())
def test_lines_do_not_depend_on_how_the_bytes_arrive(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    sizes = data.draw(st.lists(st.integers(1, 3000), min_size=1, max_size=5))
    assert split(stream, sizes) == split(stream)


def test_a_line_of_4096_bytes_is_the_longest() -> None:
    assert split(b"x" * 4096 + b"\n", [100]) == [b"x" * 4096]
    for sizes in ([1], [100], [9000]):
        (refused,) = split(b"x" * 4097 + b"\n", sizes)
        assert isinstance(refused, RefusedLine)
        assert refused.id is None
        assert "4096" in refused.why


def test_an_endless_line_is_refused_once_and_the_line_after_it_is_read() -> None:
    splitter = LineSplitter()
    found: list[bytes | RefusedLine] = []
    for _ in range(100):
        found += splitter.feed(b"x" * 4096)
        assert len(splitter._line) <= LINE_BYTES_MAX
    found += splitter.feed(b"tail\n" + TAP + b"\n")
    assert [type(line) for line in found] == [RefusedLine, bytes]
    assert found[1] == TAP
    assert splitter.bytes_dropped == 100 * 4096 + 4


def test_empty_lines_are_passed_over() -> None:
    assert split(b"\n\r\n \n" + TAP + b"\n") == [TAP]


def test_answers_are_one_compact_ascii_line_each() -> None:
    assert acknowledgement("tä") == b'{"ack":"t\\u00e4"}\n'
    assert refusal(RefusedLine(None, "no")) == b'{"refused":null,"why":"no"}\n'
