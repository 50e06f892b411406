"""What of a plate may be signed in clear: a hash that only who has the plate and its salt can check."""

from __future__ import annotations

import hashlib
import unicodedata

SALT_BYTES_MIN = 16
SALT_BYTES_MAX = 32
_DOMAIN = b"wayside plate v1\0"


def canonical_plate(text: str) -> str:
    """The plate's characters alone: Unicode NFKC, capitals, without whatever is no letter or digit.

    O and 0, I and 1 stay what they are. Raises ValueError, without the text, where nothing remains.
    """
    canonical = "".join(character for character in unicodedata.normalize("NFKC", text).upper() if character.isalnum())
    if not canonical:
        raise ValueError("a plate without any letter or digit has no hash")
    return canonical


def plate_hash(text: str, salt: bytes) -> bytes:
    """SHA-256 of `wayside plate v1`, NUL, the salt's length in one byte, the salt, the canonical plate in UTF-8.

    `salt`: 16 to 32 random bytes, made for this one event and sealed with the plate: without it, all plates of a
    country are tried in a minute. Raises ValueError for another length.
    """
    if not SALT_BYTES_MIN <= len(salt) <= SALT_BYTES_MAX:
        raise ValueError(f"a salt of {len(salt)} bytes; draw {SALT_BYTES_MIN} to {SALT_BYTES_MAX} at random")
    return hashlib.sha256(_DOMAIN + bytes([len(salt)]) + salt + canonical_plate(text).encode()).digest()
