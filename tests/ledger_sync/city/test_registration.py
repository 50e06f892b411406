"""The policy, check by check. Every refusal is signed and typed; `refused` in gateways.py checks that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ledger_sync.city.ledger import STRANGER_REFUSALS_MAX, Ledger, Submission
from ledger_sync.city.registration import ANCHOR_BYTES_MAX
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.anchor import LedgerHead
from ledger_sync.proof.receipt import RefusalReason
from tests.ledger_sync.city.gateways import (
    LEDGER_KEY,
    Gateway,
    check_log,
    entries,
    is_receipt,
    ledger_settings,
    named_key,
    open_ledger,
    proven,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def ledger(tmp_path: Path, gateway: Gateway) -> Iterator[Ledger]:
    with open_ledger(tmp_path, gateway.registered, Gateway("gw-2").registered) as ledger:
        yield ledger
    check_log(tmp_path / "log.sqlite")


def reason(ledger: Ledger, submission: Submission) -> RefusalReason:
    (answer,) = ledger.register([submission]).answers
    return refused(answer, submission).reason


def entry(ledger: Ledger, submission: Submission) -> int:
    (answer,) = ledger.register([submission]).answers
    return proven(answer, submission).proof.index


def test_anchors_get_their_places_in_the_order_of_arrival(ledger: Ledger, gateway: Gateway) -> None:
    group = [gateway.seal(), Gateway("gw-2").seal(), gateway.seal()]
    answers = ledger.register(group).answers
    assert [proven(*pair).proof.index for pair in zip(answers, group, strict=True)] == [0, 1, 2]


def test_one_group_shares_one_signature(ledger: Ledger, gateway: Gateway) -> None:
    group = [gateway.seal() for _ in range(5)]
    receipts = [proven(*pair) for pair in zip(ledger.register(group).answers, group, strict=True)]
    assert len({receipt.envelope.signature for receipt in receipts}) == 1


def test_the_same_anchor_gets_the_same_place_again(ledger: Ledger, gateway: Gateway) -> None:
    first = gateway.seal()
    assert entry(ledger, first) == 0
    for _ in range(3):
        entry(ledger, gateway.seal())
    assert entry(ledger, first) == 0


def test_twice_in_one_group_is_once_in_the_log(ledger: Ledger, gateway: Gateway) -> None:
    first = gateway.seal()
    answers = ledger.register([first, first]).answers
    assert [proven(answer, first).proof.index for answer in answers] == [0, 0]


def test_an_anchor_sent_again_is_answered_under_the_newest_head_without_a_new_signature(
    ledger: Ledger, gateway: Gateway
) -> None:
    first, second = gateway.seal(), gateway.seal()
    ledger.register([first])
    (newest,) = ledger.register([second]).answers
    (again,) = ledger.register([first]).answers
    assert proven(again, first).envelope.signature == proven(newest, second).envelope.signature


def test_the_journals_of_a_gateway_are_chains_of_their_own(ledger: Ledger, gateway: Gateway) -> None:
    other = Gateway(journal=2)
    assert [entry(ledger, one) for one in (gateway.seal(), other.seal(), gateway.seal(), other.seal())] == [0, 1, 2, 3]


def test_an_anchor_ahead_of_its_chain_waits_for_it(ledger: Ledger, gateway: Gateway) -> None:
    first, second, third = gateway.seal(), gateway.seal(), gateway.seal()
    assert ledger.register([third, second]).answers == []
    answers = ledger.register([first]).answers
    group = (first, second, third)
    assert [proven(*pair).proof.index for pair in zip(answers, group, strict=True)] == [0, 1, 2]


def test_a_gap_in_the_middle_is_waited_for(ledger: Ledger, gateway: Gateway) -> None:
    first, second, third = gateway.seal(), gateway.seal(), gateway.seal()
    ledger.register([first])
    result = ledger.register([third])
    assert (result.answers, result.parked, result.registered) == ([], 1, 0)
    result = ledger.register([second])
    assert (len(result.answers), result.parked, result.registered) == (2, 0, 2)


def test_other_content_for_a_registered_batch_is_a_contradiction_and_both_are_kept(
    ledger: Ledger, gateway: Gateway, tmp_path: Path
) -> None:
    contradicting = gateway.sealed(root=bytes(32))
    first = gateway.seal()
    entry(ledger, first)
    assert reason(ledger, contradicting) is RefusalReason.CONTRADICTION
    (kept,) = ledger_status(ledger_settings(tmp_path))["contradictions"]
    assert (kept["gateway"], kept["batch"], kept["entry"]) == ("gw-1", 1, 0)
    assert entries(tmp_path / "log.sqlite") == [first.anchor]


def test_a_contradiction_within_one_group_is_seen(ledger: Ledger, gateway: Gateway, tmp_path: Path) -> None:
    contradicting = gateway.sealed(root=bytes(32))
    answers = ledger.register([gateway.seal(), contradicting]).answers
    assert refused(answers[1], contradicting).reason is RefusalReason.CONTRADICTION
    assert len(ledger_status(ledger_settings(tmp_path))["contradictions"]) == 1


def test_a_chain_goes_on_after_a_contradiction(ledger: Ledger, gateway: Gateway) -> None:
    contradicting = gateway.sealed(root=bytes(32))
    ledger.register([gateway.seal(), contradicting])
    assert entry(ledger, gateway.seal()) == 1


@pytest.mark.parametrize(
    "changes", [{"previous": bytes(32)}, {"first_sequence": 10}, {"first_sequence": 12}, {"first_sequence": 1}]
)
def test_an_anchor_that_does_not_continue_its_chain_is_refused(
    ledger: Ledger, gateway: Gateway, changes: dict[str, Any]
) -> None:
    ledger.register([gateway.seal()])
    assert reason(ledger, gateway.sealed(**changes)) is RefusalReason.BROKEN_CHAIN
    assert entry(ledger, gateway.seal()) == 1


def test_a_journal_begins_at_sequence_1(ledger: Ledger, gateway: Gateway) -> None:
    assert reason(ledger, gateway.sealed(first_sequence=2)) is RefusalReason.BROKEN_CHAIN


def test_a_head_that_this_ledger_signed_may_be_named(ledger: Ledger, gateway: Gateway) -> None:
    head = ledger.register([gateway.seal()]).head
    assert head is not None
    assert entry(ledger, gateway.seal(seen=LedgerHead(1, head.signed.root, head.issued_at))) == 1


@pytest.mark.parametrize(
    "changes",
    [{"tree_size": 2}, {"tree_size": 2**64 - 1}, {"root": bytes(32)}, {"issued_at": 1}],
)
def test_a_head_that_this_ledger_never_signed_is_refused(
    ledger: Ledger, gateway: Gateway, changes: dict[str, Any]
) -> None:
    head = ledger.register([gateway.seal()]).head
    assert head is not None
    seen = replace(LedgerHead(1, head.signed.root, head.issued_at), **changes)
    assert reason(ledger, gateway.sealed(ledger_seen=seen)) is RefusalReason.UNKNOWN_LEDGER_HEAD


def test_a_gateway_cannot_publish_under_another_s_topic(ledger: Ledger, gateway: Gateway) -> None:
    own = gateway.seal()
    forged = Submission(replace(own.address, gateway="gw-2"), own.anchor)
    assert reason(ledger, forged) is RefusalReason.MALFORMED
    assert entry(ledger, own) == 0


@pytest.mark.parametrize("changes", [{"batch": 2}, {"journal": bytes(16)}])
def test_an_anchor_belongs_under_the_topic_of_its_batch(
    ledger: Ledger, gateway: Gateway, changes: dict[str, Any]
) -> None:
    own = gateway.seal()
    address = replace(own.address, **changes)
    assert reason(ledger, Submission(address, own.anchor)) is RefusalReason.MALFORMED


def test_a_key_that_is_not_registered_is_unknown(ledger: Ledger) -> None:
    assert reason(ledger, Gateway("gw-3").seal()) is RefusalReason.UNKNOWN_KEY
    assert reason(ledger, Gateway(key=named_key("another")).seal()) is RefusalReason.UNKNOWN_KEY
    assert reason(ledger, Gateway("gw-2", key=named_key("gw-1")).seal()) is RefusalReason.UNKNOWN_KEY


def test_a_known_kid_with_another_signature_is_refused(ledger: Ledger, gateway: Gateway) -> None:
    forged = gateway.sealed(sign=named_key("another").sign)
    assert reason(ledger, forged) is RefusalReason.BAD_SIGNATURE


def test_every_changed_byte_is_refused_and_none_is_logged(ledger: Ledger, gateway: Gateway, tmp_path: Path) -> None:
    own = gateway.sealed()
    changed = [own.anchor[:at] + bytes([own.anchor[at] ^ 1]) + own.anchor[at + 1 :] for at in range(len(own.anchor))]
    for anchor in changed:
        result = ledger.register([Submission(own.address, anchor)])
        assert (result.refused, result.registered, result.parked) == (1, 0, 0)
    assert entries(tmp_path / "log.sqlite") == []


def test_another_city_s_anchor_is_refused(ledger: Ledger) -> None:
    assert reason(ledger, Gateway(city="example.net").seal()) is RefusalReason.OTHER_CITY


@pytest.mark.parametrize("size", [0, 1, 100, ANCHOR_BYTES_MAX, ANCHOR_BYTES_MAX + 1, 60_000])
def test_bytes_of_any_size_are_malformed(ledger: Ledger, gateway: Gateway, size: int) -> None:
    assert reason(ledger, Submission(gateway.seal().address, b"\xd2" * size)) is RefusalReason.MALFORMED


def test_the_longest_anchor_is_within_bounds() -> None:
    longest = Gateway("g" * 32, city="c" * 32)
    number = 2**63 - 1
    seen = LedgerHead(number, bytes(32), number)
    names = ("issued_at", "count", "first_sequence", "gaps", "batch", "time_min_us", "time_max_us")
    numbers: dict[str, Any] = dict.fromkeys(names, number)
    anchor = longest.sealed(previous=bytes(32), ledger_seen=seen, **numbers).anchor
    assert len(anchor) <= ANCHOR_BYTES_MAX / 2 + 32


def test_sequences_beyond_63_bits_are_malformed(ledger: Ledger, gateway: Gateway) -> None:
    assert reason(ledger, gateway.sealed(count=2**63)) is RefusalReason.MALFORMED
    assert reason(ledger, gateway.sealed(first_sequence=2**64 - 1)) is RefusalReason.MALFORMED


def test_revocation_counts_by_log_position(tmp_path: Path, gateway: Gateway) -> None:
    with open_ledger(tmp_path, replace(gateway.registered, revoked_from_entry=2)) as ledger:
        first, second, third = gateway.seal(), gateway.seal(), gateway.seal()
        assert [entry(ledger, one) for one in (first, second)] == [0, 1]
        assert reason(ledger, third) is RefusalReason.KEY_REVOKED
        # Backdating does not help, and what was logged before stays.
        gateway.batch, gateway.next_sequence, gateway.previous = 0, 1, None
        assert reason(ledger, Gateway(journal=2).seal(issued_at=0)) is RefusalReason.KEY_REVOKED
        assert entry(ledger, second) == 1


def test_a_revocation_in_one_table_of_a_key_holds_for_all_its_tables(tmp_path: Path, gateway: Gateway) -> None:
    revoked = replace(gateway.registered, last_batch=1, revoked_from_entry=0)
    with open_ledger(tmp_path, replace(gateway.registered, first_batch=1), revoked) as ledger:
        assert reason(ledger, gateway.seal()) is RefusalReason.KEY_REVOKED


def test_a_revoked_key_cannot_make_its_gateway_contradict_itself(tmp_path: Path, gateway: Gateway) -> None:
    with open_ledger(tmp_path, replace(gateway.registered, revoked_from_entry=1)) as ledger:
        contradicting = gateway.sealed(root=bytes(32))
        assert entry(ledger, gateway.seal()) == 0
        assert reason(ledger, contradicting) is RefusalReason.KEY_REVOKED
    assert ledger_status(ledger_settings(tmp_path))["contradictions"] == []


def test_a_key_counts_within_its_journal_and_batches(tmp_path: Path, gateway: Gateway) -> None:
    bounded = replace(gateway.registered, journal=gateway.journal, last_batch=1)
    with open_ledger(tmp_path, bounded) as ledger:
        assert entry(ledger, gateway.seal()) == 0
        assert reason(ledger, gateway.seal()) is RefusalReason.KEY_OUT_OF_RANGE
        assert reason(ledger, Gateway(journal=2).seal()) is RefusalReason.KEY_OUT_OF_RANGE


def test_a_new_key_takes_over_at_its_batch(tmp_path: Path, gateway: Gateway) -> None:
    new = named_key("gw-1, second key")
    keys = (replace(gateway.registered, last_batch=1), replace(gateway.registered, public_key=new.public_key))
    with open_ledger(tmp_path, *keys) as ledger:
        assert entry(ledger, gateway.seal()) == 0
        gateway.key = new
        assert entry(ledger, gateway.seal()) == 1


def test_what_strangers_send_costs_few_signatures_and_one_row(tmp_path: Path, gateway: Gateway) -> None:
    strangers = [Gateway(f"stranger-{number}").seal() for number in range(200)]
    with open_ledger(tmp_path, gateway.registered) as ledger:
        result = ledger.register([*strangers, gateway.seal()])
        assert (result.refused, result.registered) == (200, 1)
        assert len(result.answers) == STRANGER_REFUSALS_MAX + 1
        assert is_receipt(result.answers[-1])
    (row,) = ledger_status(ledger_settings(tmp_path))["refusals"]
    assert (row["gateway"], row["reason"], row["count"]) == (None, "unknown-key", 200)


def test_a_gateway_s_own_refusals_are_all_answered(tmp_path: Path, gateway: Gateway) -> None:
    contradicting = [gateway.sealed(root=bytes([number]) * 32) for number in range(100)]
    with open_ledger(tmp_path, gateway.registered) as ledger:
        assert len(ledger.register([gateway.seal(), *contradicting]).answers) == 101
    assert len(ledger_status(ledger_settings(tmp_path))["contradictions"]) == 1


def test_the_ledger_s_key_is_not_a_gateway_s(ledger: Ledger) -> None:
    assert reason(ledger, Gateway("ledger-1", key=LEDGER_KEY).seal()) is RefusalReason.UNKNOWN_KEY
