from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.driver import DeviceError, Origin
from devices.fare.card import CARD_BYTES_MAX, Card, ascii_card, bit_card, require_seal, tap
from ledger_sync.proof.cbor import encode
from ledger_sync.proof.event_types import event_type
from tests.devices.fare.sealing import opened, seal

CARD = Card("iso14443a", bytes.fromhex("04a1b2c3d4e580"))


def test_the_authority_reads_scheme_and_number() -> None:
    assert opened(seal(CARD.plaintext())) == "iso14443a:04a1b2c3d4e580"


@given(st.sampled_from(["wiegand", "raw"]), st.integers(1, 8 * CARD_BYTES_MAX))
def test_every_card_is_sealed_to_the_same_length(scheme: str, bits: int) -> None:
    card = bit_card(scheme, bytes(CARD_BYTES_MAX), bits)
    assert card is not None
    assert len(card.plaintext()) == 96
    assert len(seal(card.plaintext())) == 192


def test_a_sealed_card_is_another_text_each_time() -> None:
    assert seal(CARD.plaintext()) != seal(CARD.plaintext())


def test_bits_that_a_reader_leaves_set_after_the_last_change_nothing() -> None:
    first, second = bit_card("wiegand", b"\x12\x34\x56\x80", 26), bit_card("wiegand", b"\x12\x34\x56\xbf", 26)
    assert first is not None
    assert second is not None
    assert first.plaintext() == second.plaintext()
    assert first.plaintext().rstrip() == b"wiegand-26:12345680"


@pytest.mark.parametrize(("data", "bits"), [(b"", 0), (b"\x01", 9), (bytes(41), 321), (b"\x01", -1)])
def test_a_card_without_bits_with_too_many_or_fewer_than_it_says_is_none(data: bytes, bits: int) -> None:
    assert bit_card("raw", data, bits) is None


def test_characters_are_told_as_they_are() -> None:
    card = ascii_card(b"A12")
    assert card is not None
    assert card.plaintext().rstrip() == b"ascii:413132"
    assert ascii_card(b"") is None
    assert ascii_card(bytes(41)) is None


def test_the_fullest_tap_keeps_to_the_schema_and_to_300_bytes() -> None:
    details = {"bio": {"result": "no_match", "score": 255}, "result": "random_uid"}
    reading = tap(CARD, seal, "out", Origin.CHECKSUM, auth="card", details=details)
    assert len(encode(event_type("fare.tap").check(dict(reading.data)))) <= 300


def test_a_card_has_no_text_of_its_own() -> None:
    assert "04a1" not in f"{CARD!r} {CARD}"


def test_a_driver_without_an_authority_does_not_open() -> None:
    with pytest.raises(DeviceError, match=r"gate-1.*\[\[authority\]\]"):
        require_seal(None, "gate-1")
