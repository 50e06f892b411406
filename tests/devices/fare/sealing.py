"""Sealing as a gateway does it, and what the transit authority sees when it opens the seal."""

from __future__ import annotations

import base64
from typing import Any

from nacl.public import PrivateKey, SealedBox

TRANSIT = PrivateKey(bytes(range(32)))


def seal(plaintext: bytes) -> str:
    return base64.b64encode(SealedBox(TRANSIT.public_key).encrypt(plaintext)).decode("ascii")


def opened(card_sealed: Any) -> str:
    """The card in a tap, as text without its padding."""
    plaintext = SealedBox(TRANSIT).decrypt(base64.b64decode(str(card_sealed), validate=True))
    assert len(plaintext) == 96
    return plaintext.decode("ascii").rstrip(" ")
