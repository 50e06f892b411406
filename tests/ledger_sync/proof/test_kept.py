from __future__ import annotations

from typing import Any

import pytest

from ledger_sync.proof import cbor
from ledger_sync.proof.cose import Role, protected_header, sign1
from ledger_sync.proof.errors import CborError, MalformedError, RoleError
from ledger_sync.proof.kept import is_kept_by, make_kept, parse_kept
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.receipt import RefusalReason, make_refusal

KEY, OTHER = SecretKey(bytes(32)), SecretKey(b"\1" * 32)
STATEMENT, MANIFEST = b"a statement", b"a manifest"
KEPT = make_kept("demo", "traffic-1", 1_790_000_000, STATEMENT, MANIFEST, KEY)
CLAIMS: dict[int, Any] = {1: "demo/traffic-1", 2: "evidence", 6: 1_790_000_000}
PAYLOAD: dict[int, Any] = {1: bytes(32), 2: bytes(32)}


def test_an_acknowledgement_holds_for_its_statement_manifest_authority_and_key_alone() -> None:
    kept = parse_kept(KEPT)
    assert (kept.city, kept.authority, kept.issued_at, kept.kid) == ("demo", "traffic-1", 1_790_000_000, KEY.kid)
    right: tuple[Any, ...] = (STATEMENT, MANIFEST, "demo", "traffic-1", KEY.public_key)
    assert is_kept_by(kept, *right)
    for place, wrong in enumerate((b"another", b"another", "other", "traffic-2", OTHER.public_key)):
        altered = [*right[:place], wrong, *right[place + 1 :]]
        assert not is_kept_by(kept, *altered)


def test_no_altered_byte_is_acknowledged() -> None:
    for place in range(len(KEPT)):
        altered = KEPT[:place] + bytes((KEPT[place] ^ 1,)) + KEPT[place + 1 :]
        try:
            kept = parse_kept(altered)
        except (CborError, MalformedError):
            continue
        assert not is_kept_by(kept, STATEMENT, MANIFEST, "demo", "traffic-1", KEY.public_key)


def test_a_signature_for_another_role_is_no_acknowledgement() -> None:
    refusal = make_refusal(CLAIMS, bytes(32), RefusalReason.MALFORMED, "no", KEY.kid, KEY.sign)
    with pytest.raises(RoleError):
        parse_kept(refusal)


@pytest.mark.parametrize(
    ("claims", "payload"),
    [
        ({2: "batches"}, {}),
        ({6: -1}, {}),
        ({6: True}, {}),
        ({7: 0}, {}),
        ({}, {1: bytes(31)}),
        ({}, {2: "text"}),
        ({}, {3: 0}),
    ],
)
def test_anything_else_in_it_is_malformed(claims: dict[int, Any], payload: dict[int, Any]) -> None:
    header = protected_header(Role.KEPT, KEY.kid, CLAIMS | claims)
    envelope = sign1(header, cbor.encode(PAYLOAD | payload), KEY.sign)
    with pytest.raises(MalformedError):
        parse_kept(envelope.encode())


def test_nothing_may_stand_beside_it_unsigned() -> None:
    envelope = sign1(protected_header(Role.KEPT, KEY.kid, CLAIMS), cbor.encode(PAYLOAD), KEY.sign)
    assert parse_kept(envelope.encode()).statement_sha256 == bytes(32)
    spoilt = type(envelope)(envelope.protected, {1: 0}, envelope.payload, envelope.signature)
    with pytest.raises(MalformedError, match="nothing unprotected"):
        parse_kept(spoilt.encode())
