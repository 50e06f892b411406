from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof import cbor, cose, merkle
from ledger_sync.proof.anchor import LedgerHead
from ledger_sync.proof.errors import MalformedError, ProofError
from ledger_sync.proof.receipt import (
    InclusionProof,
    RefusalReason,
    make_refusal,
    parse_receipt,
    parse_refusal,
    parse_vdp,
    proof_of,
    sign_root,
)
from tests.support.city_of_proofs import ABSENT, LEDGER_KEY, LOGGED_S, Plan, build

ROOT = sha256(b"root").digest()
PROOF = InclusionProof(7, 3, (bytes(32), bytes(range(32))))
REFUSAL_CLAIMS = {1: "demo/ledger-1", 2: "log-1", 6: LOGGED_S}
ANCHOR_HASH = sha256(b"anchor").digest()


def receipt_with(**plan: Any) -> bytes:
    return replace(Plan(**plan).signed_log_root(ROOT), payload=None, unprotected={396: PROOF.as_vdp()}).encode()


@given(st.integers(1, (1 << 64) - 1), st.data())
def test_an_inclusion_proof_is_parsed_to_what_it_was_made_of(tree_size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, tree_size - 1))
    path = data.draw(st.lists(st.binary(min_size=32, max_size=32), max_size=6))
    proof = proof_of(index, tree_size, path)
    assert parse_vdp(proof.as_vdp()) == InclusionProof(tree_size, index, tuple(path))
    assert cbor2.loads(proof.encode()) == [tree_size, index, path]


def test_the_only_leaf_of_a_tree_has_an_empty_path() -> None:
    assert proof_of(0, 1, []).encode() == bytes.fromhex("83010080")
    assert parse_vdp({-1: [bytes.fromhex("83010080")]}).path == ()


RAW = PROOF.encode()
WRONG_VDP: dict[str, Any] = {
    "null": None,
    "a list": [RAW],
    "empty": {},
    "no proof": {-1: []},
    "two proofs": {-1: [RAW, RAW]},
    "a consistency proof beside it": {-1: [RAW], -2: [RAW]},
    "a consistency proof instead": {-2: [RAW]},
    "a proof that is not in bytes": {-1: [[7, 3, []]]},
    "proofs that are no list": {-1: RAW},
    "a byte after the proof": {-1: [RAW + b"\x00"]},
    "an empty proof": {-1: [b""]},
    **{
        name: {-1: [cbor.encode(proof)]}
        for name, proof in {
            "a proof that is a map": {1: 7},
            "two members": [7, 3],
            "four members": [7, 3, [], 0],
            "index = size": [7, 7, []],
            "index over size": [7, 8, []],
            "size 0": [0, 0, []],
            "a negative index": [7, -1, []],
            "a boolean index": [7, True, []],
            "a boolean size": [True, 0, []],
            "a decimal size": [Decimal(7), 3, []],
            "a path in bytes": [7, 3, bytes(64)],
            "a sibling of 31 bytes": [7, 3, [bytes(31)]],
            "a sibling in text": [7, 3, ["0" * 32]],
            "a null path": [7, 3, None],
        }.items()
    },
}


@pytest.mark.parametrize("name", WRONG_VDP)
def test_header_396_is_malformed_with(name: str) -> None:
    with pytest.raises(ProofError):
        parse_vdp(WRONG_VDP[name])


def test_one_signature_serves_every_entry_under_a_root() -> None:
    entries = [b"%d" % number for number in range(5)]
    tree = merkle.Tree([merkle.leaf_hash(entry) for entry in entries])
    signed = sign_root("demo", "ledger-1", "log-1", 5, LOGGED_S, tree.root(), LEDGER_KEY.kid, LEDGER_KEY.sign)
    for index, entry in enumerate(entries):
        receipt = parse_receipt(signed.receipt(proof_of(index, 5, tree.inclusion_path(index))))
        assert (receipt.city, receipt.ledger, receipt.shard) == ("demo", "ledger-1", "log-1")
        assert (receipt.kid, receipt.issued_at, receipt.tree_size) == (LEDGER_KEY.kid, LOGGED_S, 5)
        assert receipt.head(entry) == LedgerHead(5, tree.root(), LOGGED_S)
        assert cose.is_signed_by(receipt.envelope, tree.root(), LEDGER_KEY.public)


def test_a_receipt_whose_proof_is_not_of_the_signed_size_leads_to_no_head() -> None:
    tree = merkle.Tree([merkle.leaf_hash(b"%d" % number) for number in range(5)])
    proof = proof_of(4, 5, tree.inclusion_path(4))
    for size, fits in ((5, True), (6, False)):
        signed = sign_root("demo", "ledger-1", "log-1", size, LOGGED_S, tree.root(), LEDGER_KEY.kid, LEDGER_KEY.sign)
        assert (parse_receipt(signed.receipt(proof)).head(b"4") is not None) is fits


def test_a_receipts_header_is_as_rfc_9942_has_it() -> None:
    tag = cbor2.loads(receipt_with())
    protected, _, payload, _ = tag.value
    assert cbor2.loads(protected) == {
        1: -8,
        4: LEDGER_KEY.kid,
        15: {1: "demo/ledger-1", 2: "log-1", 6: LOGGED_S, -65545: 7},
        16: "wayside-receipt+cose",
        395: 1,
    }
    assert payload is None
    assert cose.parse(receipt_with()).unprotected == {396: {-1: [RAW]}}


@pytest.mark.parametrize(
    "claims",
    [
        {6: ABSENT},
        {6: None},
        {6: True},
        {6: -1},
        {6: 253_402_300_800},
        {-65545: ABSENT},
        {-65545: True},
        {-65545: Decimal(7)},
        {-65546: 0},
        {7: b"cti"},
        {1: "ledger-1"},
        {2: ""},
        {2: "a-shard-of-17-chr"},
        {2: "Log"},
        {2: "löög"},
    ],
    ids=str,
)
def test_a_receipt_is_malformed_with_the_claims(claims: dict[int, Any]) -> None:
    parse_receipt(receipt_with())
    with pytest.raises(MalformedError):
        parse_receipt(receipt_with(receipt_claims=claims))


def test_a_receipt_is_detached_and_has_only_its_proof_unprotected() -> None:
    envelope = cose.parse(receipt_with())
    vdp = PROOF.as_vdp()
    for wrong in (
        replace(envelope, payload=ROOT),
        replace(envelope, unprotected={}),
        replace(envelope, unprotected={395: 1, 396: vdp}),
        replace(envelope, unprotected={394: [b""], 396: vdp}),
        replace(envelope, unprotected={-111: vdp}),
    ):
        with pytest.raises(MalformedError):
            parse_receipt(wrong.encode())


def test_events_anchors_and_refusals_do_not_pass_as_receipts() -> None:
    built = build()
    refusal = make_refusal(
        REFUSAL_CLAIMS, ANCHOR_HASH, RefusalReason.UNKNOWN_KEY, "no", LEDGER_KEY.kid, LEDGER_KEY.sign
    )
    for raw in (built.statement, built.anchor, built.transparent, built.inner, refusal):
        with pytest.raises(MalformedError):
            parse_receipt(raw)
        envelope = replace(cose.parse(raw), payload=None, unprotected={396: PROOF.as_vdp()})
        with pytest.raises(MalformedError, match="typ"):
            parse_receipt(envelope.encode())


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_refusal_is_parsed_to_what_it_was_made_of(reason: RefusalReason) -> None:
    raw = make_refusal(REFUSAL_CLAIMS, ANCHOR_HASH, reason, "why, and the mend", LEDGER_KEY.kid, LEDGER_KEY.sign)
    refusal = parse_refusal(raw)
    assert (refusal.city, refusal.ledger, refusal.kid, refusal.issued_at) == (
        "demo",
        "ledger-1",
        LEDGER_KEY.kid,
        LOGGED_S,
    )
    assert (refusal.anchor_hash, refusal.reason, refusal.sentence) == (ANCHOR_HASH, reason, "why, and the mend")
    payload = refusal.envelope.payload
    assert payload is not None
    assert cose.is_signed_by(refusal.envelope, payload, LEDGER_KEY.public)
    assert cose.role_of(refusal.envelope.protected) == "wayside-refusal+cose"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        cbor.encode([]),
        cbor.encode({1: ANCHOR_HASH, 2: "unknown-key"}),
        cbor.encode({1: ANCHOR_HASH, 2: "unknown-key", 3: "why", 4: 0}),
        cbor.encode({1: ANCHOR_HASH[:31], 2: "unknown-key", 3: "why"}),
        cbor.encode({1: ANCHOR_HASH, 2: "bored", 3: "why"}),
        cbor.encode({1: ANCHOR_HASH, 2: "unknown-key", 3: b"why"}),
    ],
    ids=lambda payload: payload.hex()[-24:],
)
def test_a_refusal_is_malformed_with_the_payload(payload: bytes) -> None:
    protected = cose.protected_header(cose.Role.REFUSAL, LEDGER_KEY.kid, REFUSAL_CLAIMS)
    with pytest.raises(ProofError):
        parse_refusal(cose.sign1(protected, payload, LEDGER_KEY.sign).encode())


@pytest.mark.parametrize("claims", [{6: ABSENT}, {6: "now"}, {-65545: 7}, {1: "demo"}], ids=str)
def test_a_refusal_is_malformed_with_the_claims(claims: dict[int, Any]) -> None:
    merged = {key: value for key, value in {**REFUSAL_CLAIMS, **claims}.items() if value is not ABSENT}
    raw = make_refusal(merged, ANCHOR_HASH, RefusalReason.MALFORMED, "why", LEDGER_KEY.kid, LEDGER_KEY.sign)
    with pytest.raises(MalformedError):
        parse_refusal(raw)


def test_a_refusal_has_its_payload_attached_and_nothing_unprotected() -> None:
    raw = make_refusal(REFUSAL_CLAIMS, ANCHOR_HASH, RefusalReason.MALFORMED, "why", LEDGER_KEY.kid, LEDGER_KEY.sign)
    envelope = cose.parse(raw)
    for wrong in (replace(envelope, payload=None), replace(envelope, unprotected={4: b""})):
        with pytest.raises(MalformedError):
            parse_refusal(wrong.encode())


def test_a_receipt_does_not_pass_as_a_refusal() -> None:
    with pytest.raises(MalformedError, match="typ"):
        parse_refusal(receipt_with())
