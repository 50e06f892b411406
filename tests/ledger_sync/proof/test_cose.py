from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256, sha512
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_scalar_mul, crypto_core_ed25519_scalar_reduce

from ledger_sync.proof import cbor, cose
from ledger_sync.proof.cose import Envelope, Role, Sign1
from ledger_sync.proof.errors import CborError, MalformedError, ProofError, RoleError
from tests.support.city_of_proofs import ABSENT, GATEWAY_KEY, OTHER_KEY, build, overridden

CLAIMS = {1: "demo/gw-1", 2: "meter-1"}
KID = bytes(range(8))
HEADER = cose.protected_header(Role.EVENT, KID, CLAIMS)
# The order of the curve's group (RFC 8032 section 5.1), and encodings of its points of small order.
GROUP_ORDER = (1 << 252) + 27742317777372353535851937790883648493
FIELD_PRIME = (1 << 255) - 19
SMALL_ORDER = {
    "identity": (1).to_bytes(32, "little"),
    "identity with the sign bit": bytes([1]) + bytes(30) + b"\x80",
    "order two": (FIELD_PRIME - 1).to_bytes(32, "little"),
    "order four": bytes(32),
    "order four with the sign bit": bytes(31) + b"\x80",
    "order eight": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "order eight, the other": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    "zero, not reduced": FIELD_PRIME.to_bytes(32, "little"),
    "one, not reduced": (FIELD_PRIME + 1).to_bytes(32, "little"),
}


def test_an_envelope_is_laid_out_as_rfc_9052_says() -> None:
    signed = cose.sign1(HEADER, b"payload", GATEWAY_KEY.sign)
    tag = cbor2.loads(signed.encode())
    assert tag.tag == 18
    protected, unprotected, payload, signature = tag.value
    assert (protected, dict(unprotected), payload, len(signature)) == (HEADER, {}, b"payload", 64)
    sig_structure = cbor2.dumps(["Signature1", HEADER, b"", b"payload"])
    assert cose.to_be_signed(HEADER, b"payload") == sig_structure
    assert GATEWAY_KEY.sign(sig_structure) == signature
    assert cbor2.loads(HEADER) == {1: -8, 3: 60, 4: KID, 15: CLAIMS, 16: "wayside-event+cose"}


@pytest.mark.parametrize("role", Role)
def test_a_header_is_encoded_as_cbor2_does_canonically(role: Role) -> None:
    claims = {**CLAIMS, 6: 1_767_225_660, -65537: bytes(16), -65545: 1 << 32}
    header = cose.protected_header(role, KID, claims)
    assert header == cbor2.dumps(cbor2.loads(header), canonical=True)
    assert cose.parse_header(header, role) == cose.Header(KID, "demo/gw-1", "meter-1", claims)
    assert cose.role_of(header) == role


@given(st.binary(max_size=300))
def test_the_hot_path_seals_as_sign1_does(payload: bytes) -> None:
    sealed = Envelope(HEADER, GATEWAY_KEY.sign).seal(payload)
    assert sealed == cose.sign1(HEADER, payload, GATEWAY_KEY.sign).encode()
    assert cose.parse(sealed).encode() == sealed
    assert cose.is_signed_by(cose.parse(sealed), payload, GATEWAY_KEY.public)


def test_the_bare_form_has_the_payload_and_nothing_unprotected() -> None:
    detached = Sign1(HEADER, {396: {-1: [b""]}}, None, bytes(64))
    assert detached.bare(b"root") == Sign1(HEADER, {}, b"root", bytes(64))
    assert Sign1(HEADER, {394: []}, b"payload", bytes(64)).bare().payload == b"payload"


def test_a_thumbprint_is_that_of_rfc_9679() -> None:
    # Section 3: the required members of an OKP key, in core deterministic encoding: kty (1), crv (-1), x (-2).
    key = bytes.fromhex("a301012006215820") + GATEWAY_KEY.public
    assert cose.thumbprint(GATEWAY_KEY.public) == sha256(key).digest()
    assert cose.key_id(GATEWAY_KEY.public) == sha256(key).digest()[:8]


SIGNED = cose.sign1(HEADER, b"payload", GATEWAY_KEY.sign).encode()
SIGNATURE = b"\x58\x40" + bytes(64)
NOT_ENVELOPES = {
    "empty": b"",
    "untagged": SIGNED[1:],
    "another tag": b"\xd1" + SIGNED[1:],
    "tagged twice": b"\xd2" + SIGNED,
    "tag in two bytes": b"\xd8\x12" + SIGNED[1:],
    "three members": b"\xd2\x83\x40\xa0\x40",
    "five members": b"\xd2\x85\x40\xa0\x40" + SIGNATURE + b"\x00",
    "a map": b"\xd2\xa0",
    "protected is a map": b"\xd2\x84\xa0\xa0\x40" + SIGNATURE,
    "unprotected is a string": b"\xd2\x84\x40\x40\x40" + SIGNATURE,
    "a text label unprotected": b"\xd2\x84\x40\xa1\x61a\x00\x40" + SIGNATURE,
    "payload is text": b"\xd2\x84\x40\xa0\x60" + SIGNATURE,
    "payload is false": b"\xd2\x84\x40\xa0\xf4" + SIGNATURE,
    "signature of 63 bytes": b"\xd2\x84\x40\xa0\x40\x58\x3f" + bytes(63),
    "signature of 65 bytes": b"\xd2\x84\x40\xa0\x40\x58\x41" + bytes(65),
    "signature is nil": b"\xd2\x84\x40\xa0\x40\xf6",
    "a byte after the end": SIGNED + b"\x00",
}


@pytest.mark.parametrize("name", NOT_ENVELOPES)
def test_is_no_envelope(name: str) -> None:
    with pytest.raises((CborError, MalformedError)):
        cose.parse(NOT_ENVELOPES[name])


WRONG_HEADERS: dict[str, Mapping[Any, Any]] = {
    "no alg": {1: ABSENT},
    "another alg": {1: -19},
    "alg as a decimal that equals -8": {1: Decimal(-8)},
    "no content type": {3: ABSENT},
    "content type as text": {3: "60"},
    "content type as a decimal that equals 60": {3: Decimal(60)},
    "no kid": {4: ABSENT},
    "kid of 7 bytes": {4: bytes(7)},
    "kid as text": {4: "12345678"},
    "crit": {2: [4]},
    "a certificate": {34: b"x5t"},
    "an unknown label": {99: 0},
    "vds, which an event has not": {395: 1},
    "no claims": {15: ABSENT},
    "claims that are no map": {15: []},
    "no iss": {15: {2: "meter-1"}},
    "no sub": {15: {1: "demo/gw-1"}},
    "iss in bytes": {15: {1: b"demo/gw-1", 2: "meter-1"}},
    "text claims": {15: {"iss": "demo/gw-1", "sub": "meter-1"}},
}


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_a_header_is_refused_for(name: str) -> None:
    labels = {1: -8, 3: 60, 4: KID, 15: CLAIMS, 16: "wayside-event+cose"}
    assert cbor.encode(labels) == HEADER
    with pytest.raises(MalformedError):
        cose.parse_header(cbor.encode(overridden(labels, WRONG_HEADERS[name])), Role.EVENT)


@pytest.mark.parametrize("vds", [True, 2, Decimal(1), "1", None, ABSENT])
def test_a_receipts_vds_is_the_integer_1(vds: Any) -> None:
    labels = {1: -8, 4: KID, 15: CLAIMS, 16: "wayside-receipt+cose", 395: 1}
    cose.parse_header(cbor.encode(labels), Role.RECEIPT)
    with pytest.raises(MalformedError):
        cose.parse_header(cbor.encode(overridden(labels, {395: vds})), Role.RECEIPT)


@pytest.mark.parametrize("header", [b"", b"\x80", b"\xa0", b"\xa1\x61a\x00"])
def test_a_header_that_is_no_map_of_labels_is_refused(header: bytes) -> None:
    with pytest.raises((CborError, MalformedError)):
        cose.parse_header(header, Role.EVENT)
    with pytest.raises((CborError, MalformedError)):
        cose.role_of(header)


@pytest.mark.parametrize("made_for", Role)
@pytest.mark.parametrize("used_as", Role)
def test_what_is_signed_for_one_role_passes_as_no_other(made_for: Role, used_as: Role) -> None:
    header = cose.protected_header(made_for, KID, CLAIMS)
    if made_for is used_as:
        cose.parse_header(header, used_as)
    else:
        with pytest.raises(RoleError, match=used_as.value.replace("+", r"\+")):
            cose.parse_header(header, used_as)


@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_or_refused_with_a_typed_error(raw: bytes) -> None:
    for parse in (cose.parse, cose.role_of, lambda data: cose.parse_header(data, Role.EVENT)):
        with pytest.raises(ProofError):
            parse(b"\xd2" + raw)


def envelope_with(signature: bytes) -> Sign1:
    return Sign1(HEADER, {}, b"payload", signature)


def test_a_signature_counts_for_its_key_its_header_and_its_payload_only() -> None:
    envelope = cose.parse(SIGNED)
    assert cose.is_signed_by(envelope, b"payload", GATEWAY_KEY.public)
    assert not cose.is_signed_by(envelope, b"payloae", GATEWAY_KEY.public)
    assert not cose.is_signed_by(envelope, b"payload", OTHER_KEY.public)
    other_header = Sign1(cose.protected_header(Role.EVENT, KID, {1: "a/b", 2: "c"}), {}, None, envelope.signature)
    assert not cose.is_signed_by(other_header, b"payload", GATEWAY_KEY.public)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_that_is_not_32_bytes_has_signed_nothing(size: int) -> None:
    assert not cose.is_signed_by(cose.parse(SIGNED), b"payload", (GATEWAY_KEY.public * 2)[:size])


def test_the_malleable_twin_of_a_signature_is_refused() -> None:
    # S + L solves the same equation; RFC 8032 section 5.1.7 has S below L.
    signature = cose.parse(SIGNED).signature
    twin = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert twin < 1 << 256
    assert not cose.is_signed_by(
        envelope_with(signature[:32] + twin.to_bytes(32, "little")), b"payload", GATEWAY_KEY.public
    )


@pytest.mark.parametrize("name", SMALL_ORDER)
def test_a_public_key_of_small_order_signs_nothing(name: str) -> None:
    # With A of order 1 the equation S·B = R + k·A holds for S = 0 and R the identity, whatever the message; for the
    # other small orders it does for one message in two, four or eight, so several are tried.
    identity = SMALL_ORDER["identity"]
    for r in (identity, SMALL_ORDER[name]):
        for number in range(16):
            assert not cose.is_signed_by(envelope_with(r + bytes(32)), b"message %d" % number, SMALL_ORDER[name])


@pytest.mark.parametrize("name", SMALL_ORDER)
def test_a_signature_whose_r_is_of_small_order_is_refused(name: str) -> None:
    # With S = k·a the equation S·B = R + k·A holds for R the identity, and for the others where the cofactor is
    # multiplied in: OpenSSL accepts the first of them.
    r = SMALL_ORDER[name]
    challenge = sha512(r + GATEWAY_KEY.public + cose.to_be_signed(HEADER, b"payload")).digest()
    s = crypto_core_ed25519_scalar_mul(crypto_core_ed25519_scalar_reduce(challenge), secret_scalar())
    assert not cose.is_signed_by(envelope_with(r + s), b"payload", GATEWAY_KEY.public)


def secret_scalar() -> bytes:
    """The scalar a of the gateway's key, reduced (RFC 8032 section 5.1.5)."""
    scalar = bytearray(sha512(GATEWAY_KEY.secret[:32]).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    reduced: bytes = crypto_core_ed25519_scalar_reduce(bytes(scalar) + bytes(32))
    return reduced


def test_all_envelopes_of_a_proof_are_canonical_for_cbor2_too() -> None:
    built = build()
    for raw in (built.statement, built.anchor):
        tag = cbor2.loads(raw)
        assert cbor2.dumps(tag, canonical=True) == raw
        assert cbor2.dumps(cbor2.loads(tag.value[0]), canonical=True) == tag.value[0]
