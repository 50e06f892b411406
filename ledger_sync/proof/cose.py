"""COSE_Sign1 with Ed25519 (RFC 9052 section 4.2, RFC 9053 section 2.2), the one signed envelope of Wayside.

Every envelope is tagged (18), carries alg, kid, typ and CWT claims in its protected header, and belongs to one role:
its typ is checked before anything else of it is believed.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeGuard

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from . import cbor
from .errors import MalformedError, RoleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALG, CONTENT_TYPE, KID, CWT_CLAIMS, TYP = 1, 3, 4, 15, 16
RECEIPTS, VDS, VDP = 394, 395, 396
INCLUSION_PROOFS = -1
ISS, SUB, IAT = 1, 2, 6
EDDSA = -8
RFC9162_SHA256 = 1
CBOR_CONTENT_FORMAT = 60
CURVE_X25519, CURVE_ED25519 = 4, 6  # RFC 9053 section 7.1

KID_BYTES = 8
SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
UNIX_SECONDS_MAX = 253_402_300_799
"""The end of the year 9999, RFC 3339's last: no claim of time goes beyond it, so that every one can be printed."""
UTC_US_MAX = UNIX_SECONDS_MAX * 1_000_000 + 999_999

_TAG_ARRAY4 = b"\xd2\x84"
_SIGNATURE1 = b"\x84\x6aSignature1"
_SIGNATURE_HEAD = b"\x58\x40"


class Role(enum.StrEnum):
    """The typ header (RFC 9596) of each thing that is signed."""

    EVENT = "wayside-event+cose"
    ANCHOR = "wayside-anchor+cose"
    RECEIPT = "wayside-receipt+cose"
    REFUSAL = "wayside-refusal+cose"
    KEPT = "wayside-kept+cose"


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 in parts. `protected` and `payload` are the very bytes that are signed."""

    protected: bytes
    unprotected: Mapping[int, Any]
    payload: bytes | None
    signature: bytes

    def encode(self) -> bytes:
        """The tagged bytes."""
        payload = b"\xf6" if self.payload is None else cbor.byte_string(self.payload)
        parts = (_TAG_ARRAY4, cbor.byte_string(self.protected), cbor.encode(dict(self.unprotected)), payload)
        return b"".join((*parts, _SIGNATURE_HEAD, self.signature))

    def bare(self, payload: bytes | None = None) -> Sign1:
        """The form that enters a log: payload attached, unprotected emptied (RFC 9943 section 6.3)."""
        return replace(self, unprotected={}, payload=self.payload if payload is None else payload)


def parse(data: bytes) -> Sign1:
    """The parts of a tagged COSE_Sign1. Raises CborError or MalformedError."""
    if data[:1] != b"\xd2":
        raise MalformedError("is not a tagged COSE_Sign1 (it must begin with byte D2)")
    match cbor.decode(data[1:]):
        case [bytes(protected), dict(unprotected), bytes() | None as payload, bytes(signature)]:
            if len(signature) != SIGNATURE_BYTES:
                raise MalformedError(f"has a signature of {len(signature)} bytes; Ed25519 has 64")
            if any(not isinstance(label, int) for label in unprotected):
                raise MalformedError("has an unprotected header whose labels are no integers")
            return Sign1(protected, unprotected, payload, signature)
    raise MalformedError("is not an array of protected, unprotected, payload and signature")


@dataclass(frozen=True, slots=True)
class Header:
    """A checked protected header: who signed, about what. `claims` are the CWT claims (RFC 9597), all of them."""

    kid: bytes
    iss: str
    sub: str
    claims: Mapping[int, Any]


def protected_header(role: Role, kid: bytes, claims: Mapping[int, Any]) -> bytes:
    """The protected header's bytes for `role`; `claims` holds iss (1), sub (2) and whatever the role needs."""
    return cbor.encode({**_constant_labels(role), KID: kid, CWT_CLAIMS: dict(claims)})


@functools.cache
def _constant_labels(role: Role) -> Mapping[int, int | str]:
    labels: dict[int, int | str] = {ALG: EDDSA, TYP: role.value}
    if role is Role.EVENT:
        labels[CONTENT_TYPE] = CBOR_CONTENT_FORMAT
    if role in (Role.ANCHOR, Role.RECEIPT):
        labels[VDS] = RFC9162_SHA256
    return labels


def role_of(protected: bytes) -> str:
    """The typ of a protected header, unchecked otherwise. Raises CborError or MalformedError."""
    header = cbor.decode(protected)
    typ = header.get(TYP) if isinstance(header, dict) else None
    if not isinstance(typ, str):
        raise MalformedError("has no typ (16) in its protected header")
    return typ


def parse_header(protected: bytes, role: Role) -> Header:
    """The protected header of `role`, every label checked. Raises CborError or MalformedError."""
    header = cbor.decode(protected)
    if not isinstance(header, dict):
        raise MalformedError("has a protected header that is no map")
    if header.get(TYP) != role:
        raise RoleError(f"has the typ {header.get(TYP)!r:.60}; here it must be {role.value!r}")
    claims = header.get(CWT_CLAIMS)
    kid = header.get(KID)
    if not isinstance(claims, dict) or not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise MalformedError("needs an 8-byte kid (4) and CWT claims (15) in its protected header")
    iss, sub = claims.get(ISS), claims.get(SUB)
    if not isinstance(iss, str) or not isinstance(sub, str) or any(not isinstance(key, int) for key in claims):
        raise MalformedError("needs text iss (1) and sub (2) among its claims, and integer claim labels only")
    constant = _constant_labels(role)
    # The labels there must be and no others; types as well, as True and Decimal(1) equal 1.
    if len(header) != len(constant) + 2 or any(
        header.get(label) != value or type(header[label]) is not type(value) for label, value in constant.items()
    ):
        raise MalformedError(f"has protected headers that are not those of {role.value}")
    return Header(kid, iss, sub, claims)


def is_issue_time(value: Any) -> TypeGuard[int]:
    """Whether a claim's value can be an iat (6): UTC seconds from 1970 to 9999, an integer."""
    return type(value) is int and 0 <= value <= UNIX_SECONDS_MAX


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure of RFC 9052 section 4.4, without external data."""
    return _SIGNATURE1 + cbor.byte_string(protected) + b"\x40" + cbor.byte_string(payload)


def sign1(protected: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> Sign1:
    """An envelope with unprotected {} and its payload attached; `sign` gives 64 bytes for the bytes to be signed."""
    return Sign1(protected, {}, payload, sign(to_be_signed(protected, payload)))


class Envelope:
    """Signs many payloads under one protected header, with everything constant made once (the hot path)."""

    __slots__ = ("_sign", "_statement_prefix", "_to_be_signed_prefix")

    def __init__(self, protected: bytes, sign: Callable[[bytes], bytes]) -> None:
        """`sign` gives the 64-byte signature of the bytes to be signed."""
        self._to_be_signed_prefix = _SIGNATURE1 + cbor.byte_string(protected) + b"\x40"
        self._statement_prefix = _TAG_ARRAY4 + cbor.byte_string(protected) + b"\xa0"
        self._sign = sign

    def seal(self, payload: bytes) -> bytes:
        """The tagged COSE_Sign1 over `payload`."""
        body = cbor.byte_string(payload)
        signature = self._sign(self._to_be_signed_prefix + body)
        return b"".join((self._statement_prefix, body, _SIGNATURE_HEAD, signature))


def is_signed_by(envelope: Sign1, payload: bytes, public_key: bytes) -> bool:
    """Whether the signature over `payload` is that of `public_key`, by libsodium's acceptance rule."""
    if len(public_key) != PUBLIC_KEY_BYTES:  # the binding does not look, and libsodium would read beyond it
        return False
    try:
        crypto_sign_open(envelope.signature + to_be_signed(envelope.protected, payload), public_key)
    except BadSignatureError:
        return False
    return True


def thumbprint(public_key: bytes, curve: int = CURVE_ED25519) -> bytes:
    """The COSE Key Thumbprint of an octet key pair's public key, SHA-256, 32 bytes (RFC 9679)."""
    return sha256(cbor.encode({1: 1, -1: curve, -2: public_key})).digest()


@functools.lru_cache(maxsize=1024)
def key_id(public_key: bytes) -> bytes:
    """The kid of a key: the first 8 bytes of its thumbprint. A hint, never an identity."""
    return thumbprint(public_key)[:KID_BYTES]
