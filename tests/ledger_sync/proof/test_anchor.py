from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof import cose
from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash, make_anchor, parse_anchor
from ledger_sync.proof.errors import MalformedError, ProofError
from tests.support.city_of_proofs import ABSENT, GATEWAY_KEY, JOURNAL, OTHER_KEY, Plan, build

ROOT = sha256(b"root").digest()
POSITIVE = st.integers(1, (1 << 64) - 1)
SECONDS = st.integers(0, 253_402_300_799)
HASHES = st.binary(min_size=32, max_size=32)
FIRST_BATCH = AnchorClaims("demo/gw-1", 1_767_225_660, JOURNAL, 1, None, 3, 1, 5, 5, 1, None)


@st.composite
def claims_of_anchors(draw: st.DrawFn) -> AnchorClaims:
    batch, count = draw(POSITIVE), draw(POSITIVE)
    times = sorted([draw(st.integers(0, 253_402_300_799_999_999)) for _ in range(2)])
    return AnchorClaims(
        issuer="demo/gw-1",
        issued_at=draw(SECONDS),
        journal=draw(st.binary(min_size=16, max_size=16)),
        batch=batch,
        previous=None if batch == 1 else draw(HASHES),
        count=count,
        first_sequence=draw(POSITIVE),
        time_min_us=times[0],
        time_max_us=times[1],
        gaps=draw(st.integers(0, count)),
        ledger_seen=draw(st.none() | st.builds(LedgerHead, POSITIVE, HASHES, SECONDS)),
    )


@given(claims_of_anchors(), HASHES)
def test_an_anchor_is_parsed_to_what_it_was_made_of(claims: AnchorClaims, root: bytes) -> None:
    raw = make_anchor(claims, root, GATEWAY_KEY.kid, lambda _: bytes(64))
    anchor = parse_anchor(raw)
    assert (anchor.city, anchor.gateway, anchor.kid) == ("demo", "gw-1", GATEWAY_KEY.kid)
    assert (anchor.claims, anchor.envelope.payload) == (claims, root)
    assert anchor.envelope.encode() == raw
    protected = anchor.envelope.protected
    assert cbor2.dumps(cbor2.loads(protected), canonical=True) == protected


def test_an_anchor_is_signed_over_its_root() -> None:
    anchor = parse_anchor(make_anchor(FIRST_BATCH, ROOT, GATEWAY_KEY.kid, GATEWAY_KEY.sign))
    assert cose.is_signed_by(anchor.envelope, ROOT, GATEWAY_KEY.public)
    assert not cose.is_signed_by(anchor.envelope, ROOT, OTHER_KEY.public)
    assert not cose.is_signed_by(anchor.envelope, bytes(32), GATEWAY_KEY.public)


def test_the_first_batch_has_no_previous_anchor_and_may_have_seen_no_ledger() -> None:
    header = cbor2.loads(cose.parse(make_anchor(FIRST_BATCH, ROOT, GATEWAY_KEY.kid, GATEWAY_KEY.sign)).protected)
    assert -65539 not in header[15]
    assert -65544 not in header[15]


def test_the_next_anchor_names_an_anchor_by_the_hash_of_its_bytes() -> None:
    raw = Plan().anchor(ROOT)
    assert anchor_hash(raw) == sha256(raw).digest()


WRONG_CLAIMS: dict[str, dict[int, Any]] = {
    **{f"no claim {label}": {label: ABSENT} for label in (6, -65537, -65538, -65540, -65541, -65542, -65543)},
    "an unknown claim": {-65546: 0},
    "a claim of a receipt": {-65545: 1},
    "another sub": {2: "batch"},
    "an issuer without a gateway": {1: "demo"},
    "an iat before 1970": {6: -1},
    "an iat after the year 9999": {6: 253_402_300_800},
    "an iat that is a decimal": {6: Decimal(5)},
    "a journal id of 17 bytes": {-65537: bytes(17)},
    "batch 0": {-65538: 0},
    "batch true": {-65538: True},
    "a previous anchor in batch 1": {-65538: 1},
    "a null previous anchor in batch 1": {-65538: 1, -65539: None},
    "no previous anchor in batch 4": {-65539: ABSENT},
    "a null previous anchor in batch 4": {-65539: None},
    "a previous anchor of 31 bytes": {-65539: bytes(31)},
    "count 0": {-65540: 0},
    "first sequence 0": {-65541: 0},
    "times in the wrong order": {-65542: [2, 1]},
    "one time": {-65542: [1]},
    "three times": {-65542: [1, 2, 3]},
    "boolean times": {-65542: [False, True]},
    "times before 1970": {-65542: [-1, 1]},
    "times after the year 9999": {-65542: [1, 253_402_300_800_000_000]},
    "negative gaps": {-65543: -1},
    "more gaps than events": {-65543: 6},
    "a null ledger head": {-65544: None},
    "a ledger head of size 0": {-65544: [0, bytes(32), 1]},
    "a ledger head of boolean size": {-65544: [True, bytes(32), 1]},
    "a ledger head whose root is 31 bytes": {-65544: [1, bytes(31), 1]},
    "a ledger head without iat": {-65544: [1, bytes(32)]},
    "a ledger head with a boolean iat": {-65544: [1, bytes(32), True]},
    "a ledger head with an iat after the year 9999": {-65544: [1, bytes(32), 1 << 63]},
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_an_anchor_is_malformed_with(name: str) -> None:
    parse_anchor(Plan().anchor(ROOT))
    with pytest.raises(MalformedError):
        parse_anchor(Plan(anchor_claims=WRONG_CLAIMS[name]).anchor(ROOT))


@pytest.mark.parametrize("payload", [None, b"", bytes(31), bytes(33)])
def test_an_anchors_payload_is_a_root(payload: bytes | None) -> None:
    envelope = replace(cose.parse(Plan().anchor(ROOT)), payload=payload)
    with pytest.raises(MalformedError, match="32-byte root"):
        parse_anchor(envelope.encode())


def test_an_inner_receipt_is_no_anchor_until_its_root_is_back() -> None:
    built = build()
    with pytest.raises(MalformedError):
        parse_anchor(built.inner)
    root = cose.parse(built.anchor).payload
    assert cose.parse(built.inner).bare(root).encode() == built.anchor


def test_events_receipts_and_transparent_statements_do_not_pass_as_anchors() -> None:
    built = build()
    for raw in (built.statement, built.receipt, built.transparent):
        with pytest.raises(MalformedError):
            parse_anchor(raw)
    # Not even where the payload has an anchor's shape.
    event_over_a_root = cose.sign1(cose.parse(built.statement).protected, ROOT, GATEWAY_KEY.sign).encode()
    with pytest.raises(MalformedError, match="typ"):
        parse_anchor(event_over_a_root)


@given(st.data())
def test_a_changed_anchor_is_parsed_or_refused_with_a_typed_error(data: st.DataObject) -> None:
    raw = Plan().anchor(ROOT)
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = (
        raw[:position] + data.draw(st.binary(min_size=1, max_size=4)) + raw[position + data.draw(st.integers(0, 4)) :]
    )
    try:
        anchor = parse_anchor(changed)
    except ProofError:
        return
    assert anchor.claims.batch >= 1
