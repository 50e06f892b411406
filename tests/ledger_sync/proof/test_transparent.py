from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger_sync.proof import cose, merkle
from ledger_sync.proof.cose import Sign1
from ledger_sync.proof.errors import MalformedError, ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.transparent import assemble, parse_transparent
from tests.support.city_of_proofs import build

BUILT = build()
OUTER = cose.parse(BUILT.transparent)
INNER = cose.parse(BUILT.inner)


def test_a_transparent_statement_gives_back_its_parts() -> None:
    parsed = parse_transparent(BUILT.transparent)
    assert parsed.event == parse_event(BUILT.statement)
    assert parsed.envelope.bare().encode() == BUILT.statement
    assert parsed.batch_proof == BUILT.batch_proof
    assert parsed.receipt.envelope.encode() == BUILT.receipt
    root = parsed.root()
    assert root == cose.parse(BUILT.anchor).payload
    assert parsed.anchor.envelope.bare(root).encode() == BUILT.anchor


def test_assembling_changes_nothing_that_is_signed() -> None:
    assert OUTER.bare().encode() == BUILT.statement
    assert INNER.unprotected[cose.RECEIPTS] == [BUILT.receipt]
    # What is assembled once can be assembled again.
    assert assemble(BUILT.transparent, BUILT.anchor, BUILT.batch_proof, BUILT.receipt) == BUILT.transparent


def test_a_proof_whose_length_does_not_fit_leads_to_no_root() -> None:
    short = replace(BUILT, batch_proof=replace(BUILT.batch_proof, path=BUILT.batch_proof.path[:-1]))
    assert parse_transparent(short.transparent).root() is None


def outer_with(**changes: object) -> bytes:
    return replace(OUTER, **changes).encode()  # type: ignore[arg-type]


def inner_with(**changes: object) -> bytes:
    return outer_with(unprotected={394: [replace(INNER, **changes).encode()]})  # type: ignore[arg-type]


PROOF = BUILT.batch_proof.as_vdp()
WRONG: dict[str, Callable[[], bytes]] = {
    "a bare event": lambda: BUILT.statement,
    "a bare anchor": lambda: BUILT.anchor,
    "a bare receipt": lambda: BUILT.receipt,
    "an inner receipt alone": lambda: BUILT.inner,
    "no receipt": lambda: outer_with(unprotected={394: []}),
    "two receipts": lambda: outer_with(unprotected={394: [BUILT.inner, BUILT.inner]}),
    "a receipt that is not in a list": lambda: outer_with(unprotected={394: BUILT.inner}),
    "a receipt that is not in bytes": lambda: outer_with(unprotected={394: [None]}),
    "another label beside 394": lambda: outer_with(unprotected={394: [BUILT.inner], 4: b"kid"}),
    "a proof beside 394 in the event": lambda: outer_with(unprotected={394: [BUILT.inner], 396: PROOF}),
    "a detached event": lambda: outer_with(payload=None),
    "the ledger receipt in the inner one's place": lambda: outer_with(unprotected={394: [BUILT.receipt]}),
    "the event in the inner receipt's place": lambda: outer_with(unprotected={394: [BUILT.statement]}),
    "an inner receipt with a byte more": lambda: outer_with(unprotected={394: [BUILT.inner + b"\x00"]}),
    "an inner receipt with its root attached": lambda: inner_with(payload=cose.parse(BUILT.anchor).payload),
    "an inner receipt with an empty payload": lambda: inner_with(payload=b""),
    "no ledger receipt": lambda: inner_with(unprotected={396: PROOF}),
    "no batch proof": lambda: inner_with(unprotected={394: [BUILT.receipt]}),
    "two ledger receipts": lambda: inner_with(unprotected={394: [BUILT.receipt] * 2, 396: PROOF}),
    "a third label in the inner receipt": lambda: inner_with(unprotected={394: [BUILT.receipt], 395: 1, 396: PROOF}),
    "the inner receipt in the ledger's place": lambda: inner_with(unprotected={394: [BUILT.inner], 396: PROOF}),
    "parts in each other's place": lambda: replace(INNER, unprotected={394: [BUILT.statement], 396: PROOF}).encode(),
}


@pytest.mark.parametrize("name", WRONG)
def test_is_no_transparent_statement(name: str) -> None:
    with pytest.raises(ProofError):
        parse_transparent(WRONG[name]())


def test_parts_that_are_no_envelopes_are_not_assembled() -> None:
    for statement, anchor in ((b"", BUILT.anchor), (BUILT.statement, b"\xd2\x80")):
        with pytest.raises(ProofError):
            assemble(statement, anchor, BUILT.batch_proof, BUILT.receipt)


@pytest.mark.parametrize(
    "typ", ["wayside-anchor+cose", "wayside-receipt+cose", "wayside-refusal+cose", "application/cose"]
)
def test_the_event_must_be_signed_as_an_event(typ: str) -> None:
    with pytest.raises(MalformedError):
        parse_transparent(build(event_labels={16: typ}).transparent)


def test_the_leaf_is_the_bare_statement() -> None:
    expected = merkle.leaf_hash(Sign1(OUTER.protected, {}, OUTER.payload, OUTER.signature).encode())
    assert merkle.leaf_hash(BUILT.statement) == expected
