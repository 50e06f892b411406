from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osdp import CardFormat, Event

from devices.fare.osdp_credential import Credential, parse_event, parse_match

VENDOR = 0x0A0B0C
MATCH = bytes.fromhex("01 02 00 c8 01 1a00 12345680")


def card_read(**facts: Any) -> dict[str, Any]:
    return {"event": Event.CardRead, "reader_no": 0, "direction": 0, **facts}


def text_of(credential: Credential | str | None) -> str:
    assert isinstance(credential, Credential)
    return credential.card.plaintext().decode().rstrip()


@pytest.mark.parametrize(
    ("event", "card"),
    [
        (card_read(format=CardFormat.Wiegand, length=26, data=b"\x12\x34\x56\x80"), "wiegand-26:12345680"),
        (card_read(format=CardFormat.Unspecified, length=32, data=b"\x12\x34\x56\x78"), "raw-32:12345678"),
        (card_read(format=CardFormat.ASCII, data=b"4711"), "ascii:34373131"),
    ],
)
def test_a_card_is_told_in_each_of_the_three_formats(event: dict[str, Any], card: str) -> None:
    credential = parse_event(event, None)
    assert text_of(credential) == card
    assert isinstance(credential, Credential)
    assert (credential.auth, credential.bio) == ("card", None)


@pytest.mark.parametrize(
    ("head", "auth", "result", "score"),
    [("010200c8", "both", "match", 200), ("01010109", "bio", "no_match", 9), ("0102ff00", "both", "failed", 0)],
)
def test_a_match_tells_card_result_and_score(head: str, auth: str, result: str, score: int) -> None:
    match = {"event": Event.ManufacturerReply, "vendor_code": VENDOR, "data": bytes.fromhex(head) + MATCH[4:]}
    credential = parse_event(match, VENDOR)
    assert text_of(credential) == "wiegand-26:12345680"
    assert isinstance(credential, Credential)
    assert (credential.auth, credential.bio) == (auth, {"result": result, "score": score})


@pytest.mark.parametrize("vendor", [None, VENDOR + 1])
def test_replies_of_another_vendor_are_passed_over(vendor: int | None) -> None:
    assert parse_event({"event": Event.ManufacturerReply, "vendor_code": VENDOR, "data": MATCH}, vendor) is None


@pytest.mark.parametrize("event", [Event.KeyPress, Event.Status])
def test_what_is_no_credential_is_passed_over(event: int) -> None:
    assert parse_event({"event": event, "data": b"1234"}, VENDOR) is None


@pytest.mark.parametrize(
    "data", [b"", MATCH[:6], MATCH[:-1], MATCH + b"\x00", b"\x02" + MATCH[1:], bytes.fromhex("010200c8010000")]
)
def test_a_match_of_another_layout_or_length_is_a_sentence(data: bytes) -> None:
    assert isinstance(parse_match(data), str)


@given(st.binary(max_size=128))
def test_any_match_is_a_credential_or_a_sentence_that_does_not_quote_it(data: bytes) -> None:
    match = parse_match(data)
    assert isinstance(match, Credential) or data.hex()[14:] not in match or len(data) < 9


@given(st.integers(0, 5), st.integers(-1, 600), st.binary(max_size=64))
def test_any_card_is_a_credential_or_a_sentence(number_format: int, length: int, data: bytes) -> None:
    event = card_read(format=number_format, length=length, data=data)
    assert isinstance(parse_event(event, None), Credential | str)
