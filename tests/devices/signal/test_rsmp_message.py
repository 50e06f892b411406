from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.signal.rsmp_message import (
    Message,
    MessageError,
    acknowledgement,
    decode_message,
    refusal,
    subscription,
    timestamp,
    version,
    watchdog,
)
from devices.signal.rsmp_splitter import MESSAGE_BYTES_MAX, MessageSplitter
from tests.devices.signal.rsmp_words import raw

if TYPE_CHECKING:
    from pathlib import Path


def examples(corpora: Path) -> list[dict[str, object]]:
    """The specification's own messages."""
    found: list[dict[str, object]] = json.loads((corpora / "signals/rsmp/examples.json").read_text())
    return found


def test_every_message_of_the_specification_is_read_as_it_stands(corpora: Path) -> None:
    for example in examples(corpora):
        message = decode_message(json.dumps(example).encode())
        assert message.body == example
        assert message.type == example["type"]
        assert message.id == example.get("mId", example.get("oMId"))


@given(st.lists(st.integers(1, 97), min_size=1, max_size=5))
@settings(max_examples=30)
def test_messages_are_the_same_in_chunks_of_any_size(sizes: list[int]) -> None:
    packets = [raw("Watchdog", str(number), wTs="x" * number) for number in range(20)]
    splitter = MessageSplitter()
    found = [one for piece in pieces(b"".join(one + b"\f" for one in packets), sizes) for one in splitter.feed(piece)]
    assert found == packets


def test_form_feeds_in_a_row_and_at_the_start_are_passed_over() -> None:
    assert list(MessageSplitter().feed(b"\f\f{1}\f\f\r\n\f{2}\f")) == [b"{1}", b"{2}"]


def test_a_message_over_the_bound_is_dropped_whole_and_the_next_is_read() -> None:
    splitter = MessageSplitter()
    assert list(splitter.feed(b"x" * MESSAGE_BYTES_MAX + b"\f")) == [b"x" * MESSAGE_BYTES_MAX]
    found = [
        one for piece in pieces(b"y" * (MESSAGE_BYTES_MAX + 1) + b"\f{1}\f", [1000]) for one in splitter.feed(piece)
    ]
    assert found == [b"{1}"]
    assert (splitter.too_long, splitter.bytes_dropped) == (1, MESSAGE_BYTES_MAX + 1)


@given(st.lists(st.binary(max_size=300) | st.just(b"\f"), max_size=40))
def test_the_splitter_holds_no_more_than_its_bound_and_loses_nothing_silently(data: list[bytes]) -> None:
    splitter = MessageSplitter()
    for piece in data:
        for message in splitter.feed(piece * 300):
            assert len(message) <= MESSAGE_BYTES_MAX
        assert len(splitter._begun) <= MESSAGE_BYTES_MAX


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["mType", "type", "mId", "x"]) | st.text(), inner),
)


@given(st.binary() | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert isinstance(decode_message(data), Message)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","mId":"2"}', "one member twice"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","x":NaN}', "JSON has not"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","x":-Infinity}', "JSON has not"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","x":' + b"[" * 30_000, "nested too deeply"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","x":"\\ud800"}', "surrogate"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":"1","x":"\xff"}', "UTF-8"),
        (b'{"mType":"rSMsg","type":"Alarm"', "not JSON"),
        (b'{"mType":"other","type":"Alarm","mId":"1"}', "rSMsg"),
        (b'["mType","rSMsg"]', "rSMsg"),
        (b'{"mType":"rSMsg","type":null,"mId":"1"}', "usable type"),
        (b'{"mType":"rSMsg","type":"Alarm","mId":""}', "usable mId"),
        (b'{"mType":"rSMsg","type":"MessageAck","mId":"1"}', "usable oMId"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(data: bytes, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        decode_message(data)


def test_a_reason_quotes_nothing_of_the_message() -> None:
    with pytest.raises(MessageError) as caught:
        decode_message(b'{"mType":"rSMsg","type":"CommandRequest","v":"4711"')
    assert "4711" not in str(caught.value)


def test_numbers_of_any_size_keep_their_text() -> None:
    body = decode_message(raw("Alarm")[:-1] + b', "big": ' + b"9" * 6000 + b', "small": 1.50e-400}').body
    assert body["big"] == "9" * 6000
    assert body["small"] == "1.50e-400"


def test_a_time_has_three_decimal_places_and_is_cut_not_rounded() -> None:
    assert timestamp(datetime(2026, 2, 3, 4, 5, 6, 999_999, UTC)) == "2026-02-03T04:05:06.999Z"


def test_what_is_sent_can_be_read_and_ends_with_a_form_feed() -> None:
    now = datetime(2026, 2, 3, tzinfo=UTC)
    sent = [
        acknowledgement("m-1"),
        refusal("m-1", "no \f good"),
        version(["3.2.2"], ["å"], "1.2.1").data,
        watchdog(now).data,
        subscription("c", "S0001", "signalgroupstatus", has_send_on_change=True).data,
    ]
    assert [decode_message(one) for one in MessageSplitter().feed(b"".join(sent))] == [
        decode_message(one[:-1]) for one in sent
    ]
