from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from nacl.public import PrivateKey, PublicKey, SealedBox

from edge import sealing
from edge.sealing import parse_sealing_key, seal_to
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHORITY = PrivateKey.generate()
CARD = b"iso14443a:04a1b2c3d4e580".ljust(96)


def test_only_the_authority_opens_what_was_sealed() -> None:
    sealed = base64.b64decode(seal_to(bytes(AUTHORITY.public_key))(CARD), validate=True)
    assert SealedBox(AUTHORITY).decrypt(sealed) == CARD
    assert CARD not in sealed


def test_the_same_card_sealed_twice_has_nothing_in_common() -> None:
    seal = seal_to(bytes(AUTHORITY.public_key))
    assert len({seal(CARD)[:43] for _ in range(100)}) == 100


def test_a_sealed_card_fits_a_tap() -> None:
    sealed = seal_to(bytes(AUTHORITY.public_key))(CARD)
    assert len(sealed) == 192
    encode_data(event_type("fare.tap"), {"direction": "in", "card_sealed": sealed, "zone": "z" * 32})


def _after(count: int) -> Callable[[str], bool]:
    looks = iter([True] * count)
    return lambda _: next(looks, False)


def test_what_would_look_like_a_card_number_is_sealed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes: list[bytes] = []

    encrypt = SealedBox.encrypt

    def counted(box: SealedBox[PublicKey], clear: bytes) -> bytes:
        boxes.append(clear)
        return encrypt(box, clear)

    monkeypatch.setattr(SealedBox, "encrypt", counted)
    monkeypatch.setattr(sealing, "holds_card_number", _after(2))
    sealed = seal_to(bytes(AUTHORITY.public_key))(CARD)
    assert boxes == [CARD] * 3
    assert SealedBox(AUTHORITY).decrypt(base64.b64decode(sealed)) == CARD


def test_a_key_that_seals_nothing_is_told_at_once() -> None:
    good = base64.b64encode(bytes(AUTHORITY.public_key)).decode()
    assert parse_sealing_key(good) == bytes(AUTHORITY.public_key)
    with pytest.raises(ValueError, match="`wayside authority init` prints one"):
        parse_sealing_key(base64.b64encode(bytes(32)).decode())
    with pytest.raises(ValueError, match="44 characters of padded base64"):
        parse_sealing_key("x")
