"""Sealing to an authority's key: what a card's number becomes before it leaves its driver.

A sealed box of libsodium (X25519, XSalsa20-Poly1305): anybody can make one for a public key, only the holder of the
secret key opens it, and the same text sealed twice has nothing in common.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox

from ledger_sync.proof.card_numbers import holds_card_number
from ledger_sync.proof.settings import parse_public_key

if TYPE_CHECKING:
    from devices.driver import Seal


AUTHORITY_ROLES = ("transit", "traffic", "utility", "settlement", "oversight")
"""What an authority may open; oversight opens nothing alone, but without it nobody opens unblurred pictures."""


def seal_to(public_key: bytes) -> Seal:
    """The seal of the authority that has the secret key to this X25519 public key (32 bytes)."""
    box = SealedBox(PublicKey(public_key))

    def seal(clear: bytes) -> str:
        # Random base64 holds, once in some hundred million cards, what a fare.tap is refused for.
        while True:
            sealed = base64.b64encode(box.encrypt(clear)).decode("ascii")
            if not holds_card_number(sealed):
                return sealed

    return seal


def parse_sealing_key(raw: Any) -> bytes:
    """An X25519 public key from padded base64. Raises ValueError with a sentence, also for a key that seals nothing."""
    key = parse_public_key(raw)
    try:
        seal_to(key)(b"")
    except CryptoError as error:
        raise ValueError("is no X25519 public key; `wayside authority init` prints one") from error
    return key
