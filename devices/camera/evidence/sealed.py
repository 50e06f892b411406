"""A sealed object: a set that the authorities it names can open, all of them together (FORMAT.md, "Sealed object").

    16 bytes  "wayside-sealed-1"
    2 bytes   length of the header, big-endian
    header    CBOR: {1: which set, 2: [[role, kid of its key, sealed share of the object's key], …]}
    rest      the set under the object's key: nonce, then XSalsa20-Poly1305 (libsodium's secret box)

Each object has a fresh key. It is the exclusive or of one share for each authority, all but the last of them random; a
share is sealed to its authority's X25519 key (libsodium's sealed box). So all authorities together have the key, and
all but one of them have random bytes: this is no matter of effort.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.secret import SecretBox

from devices.camera.evidence.errors import EvidenceFormatError, EvidenceKeyError
from devices.camera.evidence.parts import SET_BYTES_MAX
from ledger_sync.proof import cbor
from ledger_sync.proof.cose import CURVE_X25519, KID_BYTES, thumbprint
from ledger_sync.proof.errors import CborError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nacl.public import PrivateKey

MAGIC = b"wayside-sealed-1"
HEADER_BYTES_MAX = 1024
AUTHORITIES_MAX = 4
BOX_BYTES = SecretBox.NONCE_SIZE + SecretBox.MACBYTES
SEALED_BYTES_MAX = len(MAGIC) + 2 + HEADER_BYTES_MAX + BOX_BYTES + SET_BYTES_MAX
SHARE_BYTES = 48 + SecretBox.KEY_SIZE
"""A sealed box adds an X25519 public key and a Poly1305 tag."""

_LENGTH_BYTES = 2
_NAME = re.compile(r"[a-z]{1,16}")


@dataclass(frozen=True, slots=True)
class Share:
    """One authority's part in opening an object: `kid` tells which of its keys, as a hint."""

    role: str
    kid: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedObject:
    """A sealed object in its parts; nothing of it is opened."""

    name: str
    shares: tuple[Share, ...]
    box: bytes

    @property
    def roles(self) -> tuple[str, ...]:
        """Whose keys are needed, all of them."""
        return tuple(share.role for share in self.shares)


def sealing_kid(public_key: bytes) -> bytes:
    """The kid of an X25519 key: the first 8 bytes of its RFC 9679 thumbprint."""
    return thumbprint(public_key, CURVE_X25519)[:KID_BYTES]


def seal(name: str, clear: bytes, keys: Sequence[tuple[str, bytes]]) -> bytes:
    """The object in which `clear` is sealed to all `keys`: role and X25519 public key (32 bytes) of each authority.

    Raises nacl.exceptions.CryptoError for a key to which nothing can be sealed.
    """
    key = secrets.token_bytes(SecretBox.KEY_SIZE)
    shares, rest = [], key
    for role, public_key in keys[:-1]:
        share = secrets.token_bytes(SecretBox.KEY_SIZE)
        rest = _exclusive_or(rest, share)
        shares.append([role, sealing_kid(public_key), _seal_share(share, public_key)])
    role, public_key = keys[-1]
    shares.append([role, sealing_kid(public_key), _seal_share(rest, public_key)])
    header = cbor.encode({1: name, 2: shares})
    return b"".join((MAGIC, len(header).to_bytes(_LENGTH_BYTES, "big"), header, SecretBox(key).encrypt(clear)))


def parse_sealed(raw: bytes) -> SealedObject:
    """The parts of a sealed object. Raises EvidenceFormatError."""
    begin = len(MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(raw[len(MAGIC) : begin], "big")
    if not raw.startswith(MAGIC) or len(raw) > SEALED_BYTES_MAX:
        raise EvidenceFormatError("no sealed object of version 1, or a larger one than there are")
    if end > begin + HEADER_BYTES_MAX or len(raw) < end + BOX_BYTES:
        raise EvidenceFormatError("a sealed object that is cut off, or whose header has an impossible length")
    try:
        header = cbor.decode(raw[begin:end])
    except CborError as error:
        raise EvidenceFormatError("a sealed object whose header is no strict CBOR") from error
    match header:
        case {1: str(name), 2: list(rows)} if len(header) == 2 and _NAME.fullmatch(name):  # noqa: PLR2004 - the two
            shares = tuple(map(_share, rows))
            if 1 <= len(shares) <= AUTHORITIES_MAX and len({share.role for share in shares}) == len(shares):
                return SealedObject(name, shares, raw[end:])
    raise EvidenceFormatError("a sealed object whose header is not {1: name, 2: [[role, kid, share], …]}")


def open_sealed(sealed: SealedObject, keys: Mapping[str, Sequence[PrivateKey]]) -> bytes:
    """What is sealed in an object, with the authorities' secret keys by role.

    An authority may have several, as one is followed by another over the years. Raises EvidenceKeyError when one is
    missing, and EvidenceFormatError for what its keys do not open.
    """
    key = bytes(SecretBox.KEY_SIZE)
    for share in sealed.shares:
        key = _exclusive_or(key, _open_share(share, keys.get(share.role, ())))
    try:
        clear: bytes = SecretBox(key).decrypt(sealed.box)
    except CryptoError as error:
        raise EvidenceFormatError("a sealed object that is altered, or has not the shares of its key") from error
    return clear


def _share(row: Any) -> Share:
    match row:
        case [str(role), bytes(kid), bytes(sealed)] if (
            _NAME.fullmatch(role) and len(kid) == KID_BYTES and len(sealed) == SHARE_BYTES
        ):
            return Share(role, kid, sealed)
    raise EvidenceFormatError("a sealed object with a share that is not [role, 8-byte kid, 80 bytes]")


def _seal_share(share: bytes, public_key: bytes) -> bytes:
    sealed: bytes = SealedBox(PublicKey(public_key)).encrypt(share)
    return sealed


def _open_share(share: Share, keys: Sequence[PrivateKey]) -> bytes:
    for key in keys:
        if sealing_kid(bytes(key.public_key)) != share.kid:
            continue
        try:
            opened: bytes = SealedBox(key).decrypt(share.sealed)
        except CryptoError as error:
            raise EvidenceFormatError(f"a sealed object whose share for {share.role!r} is altered") from error
        if len(opened) == SecretBox.KEY_SIZE:
            return opened
        raise EvidenceFormatError(f"a sealed object whose share for {share.role!r} is no key")
    raise EvidenceKeyError(f"needs the key {share.kid.hex()} of an authority of the role {share.role!r}")


def _exclusive_or(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))
