import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_sync.proof import cose
from ledger_sync.proof.errors import Reason, RefusedError, UnreadableError
from ledger_sync.proof.receipt import parse_vdp
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust
from ledger_sync.proof.verify import Proven, check_passport, verify, verify_file
from tests.support.city_of_proofs import (
    ABSENT,
    GATEWAY_KEY,
    JOURNAL,
    LEDGER_KEY,
    LOGGED_S,
    METER_READING,
    OTHER_KEY,
    SEEN_S,
    TRUST,
    UTC_US,
    build,
    prove,
)

BUILT = build()
GOOD = BUILT.transparent


def reason_of(data: bytes, trust: Trust = TRUST) -> Reason | None:
    try:
        verify(data, trust)
    except RefusedError as error:
        return error.reason
    return None


def test_a_sound_statement_proves_who_what_and_when() -> None:
    proven = verify(GOOD, TRUST)
    assert (proven.city, proven.gateway, proven.device, proven.journal) == ("demo", "gw-1", "meter-1", JOURNAL)
    assert (proven.sequence, proven.device_counter, proven.type, proven.version) == (102, 77, "meter.reading", 1)
    assert (proven.data, proven.origin, proven.stamp.utc_us) == (METER_READING, 1, UTC_US)
    assert (proven.batch, proven.batch_count) == (4, 5)
    assert (proven.ledger, proven.shard, proven.entry, proven.tree_size) == ("ledger-1", "log-1", 3, 7)
    assert proven.logged_by == LOGGED_S
    assert proven.ledger_seen is not None
    assert proven.ledger_seen.issued_at == SEEN_S


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
def test_every_place_in_a_batch_and_a_log_verifies(count: int) -> None:
    for place in range(count):
        assert reason_of(build(place=place, count=count, entry=place, log_size=count).transparent) is None


# --- each reason ------------------------------------------------------------------------------------------------------


def other_batch_proof(**changes: Any) -> bytes:
    return replace(BUILT, batch_proof=replace(BUILT.batch_proof, **changes)).transparent


def other_log_proof(**changes: Any) -> bytes:
    envelope = cose.parse(BUILT.receipt)
    proof = replace(parse_vdp(envelope.unprotected[396]), **changes)
    return replace(BUILT, receipt=replace(envelope, unprotected={396: proof.as_vdp()}).encode()).transparent


def unsigned(raw: bytes) -> bytes:
    """The same envelope with a signature of nobody."""
    return replace(cose.parse(raw), signature=bytes(64)).encode()


def trusting(*, gateway: Sequence[GatewayKey] = TRUST.gateway, ledger: Sequence[LedgerKey] = TRUST.ledger) -> Trust:
    return Trust("demo", tuple(gateway), tuple(ledger))


KEY = TRUST.gateway[0]
OTHER_JOURNAL = bytes(16)
PATH, LOG_PATH = BUILT.batch_proof.path, parse_vdp(cose.parse(BUILT.receipt).unprotected[396]).path

REFUSED: dict[str, tuple[bytes, Trust, Reason]] = {
    "over 64 KiB": (GOOD + bytes(65_536), TRUST, Reason.TOO_LARGE),
    "empty": (b"", TRUST, Reason.MALFORMED),
    "text": (b"verified: true", TRUST, Reason.MALFORMED),
    "a bare event": (BUILT.statement, TRUST, Reason.MALFORMED),
    "no iat in the ledger receipt": (build(receipt_claims={6: ABSENT}).transparent, TRUST, Reason.MALFORMED),
    "no iat in the anchor": (build(anchor_claims={6: ABSENT}).transparent, TRUST, Reason.MALFORMED),
    "data of another schema": (build(event_fields={10: {}}).transparent, TRUST, Reason.MALFORMED),
    "the event signed as an anchor": (
        build(event_labels={16: "wayside-anchor+cose"}).transparent,
        TRUST,
        Reason.WRONG_ROLE,
    ),
    "the anchor signed as an event": (
        build(anchor_labels={16: "wayside-event+cose"}).transparent,
        TRUST,
        Reason.WRONG_ROLE,
    ),
    "the receipt signed as a refusal": (
        build(receipt_labels={16: "wayside-refusal+cose"}).transparent,
        TRUST,
        Reason.WRONG_ROLE,
    ),
    "no typ in the event": (build(event_labels={16: ABSENT}).transparent, TRUST, Reason.WRONG_ROLE),
    "another gateway's event": (build(event_claims={1: "demo/gw-2"}).transparent, TRUST, Reason.ISSUER_MISMATCH),
    "another city's event": (build(event_claims={1: "other/gw-1"}).transparent, TRUST, Reason.ISSUER_MISMATCH),
    "another key's event": (build(event_key=OTHER_KEY).transparent, TRUST, Reason.KEY_MISMATCH),
    "another city": (build(city="other").transparent, TRUST, Reason.OTHER_CITY),
    "a gateway that is not in the trust file": (build(gateway="gw-2").transparent, TRUST, Reason.UNTRUSTED_GATEWAY),
    "a key that is not in the trust file": (
        build(gateway_key=OTHER_KEY).transparent,
        TRUST,
        Reason.UNTRUSTED_GATEWAY,
    ),
    "a key that is trusted for another gateway": (
        GOOD,
        trusting(gateway=[GatewayKey("gw-2", GATEWAY_KEY.public)]),
        Reason.UNTRUSTED_GATEWAY,
    ),
    "the ledger's key in the gateway's place": (
        build(gateway_key=LEDGER_KEY).transparent,
        TRUST,
        Reason.UNTRUSTED_GATEWAY,
    ),
    "another journal": (build(event_fields={2: OTHER_JOURNAL}).transparent, TRUST, Reason.JOURNAL_MISMATCH),
    "the sequence after": (build(event_fields={1: 103}).transparent, TRUST, Reason.SEQUENCE_MISMATCH),
    "a sequence before the batch": (build(event_fields={1: 99}).transparent, TRUST, Reason.SEQUENCE_MISMATCH),
    "another place": (other_batch_proof(index=3), TRUST, Reason.SEQUENCE_MISMATCH),
    "another count": (build(anchor_claims={-65540: 6}).transparent, TRUST, Reason.COUNT_MISMATCH),
    "a proof of another tree size": (other_batch_proof(tree_size=6), TRUST, Reason.COUNT_MISMATCH),
    "a batch proof that is too short": (other_batch_proof(path=PATH[:-1]), TRUST, Reason.INCLUSION),
    "a batch proof that is too long": (other_batch_proof(path=(*PATH, bytes(32))), TRUST, Reason.INCLUSION),
    "an event that nobody signed": (prove(unsigned(BUILT.statement)).transparent, TRUST, Reason.EVENT_SIGNATURE),
    "an event signed by a key with this kid": (
        build(event_key=OTHER_KEY, event_labels={4: GATEWAY_KEY.kid}).transparent,
        TRUST,
        Reason.EVENT_SIGNATURE,
    ),
    "a batch proof with another sibling": (
        other_batch_proof(path=(bytes(32), *PATH[1:])),
        TRUST,
        Reason.ANCHOR_SIGNATURE,
    ),
    "an anchor that nobody signed": (
        replace(BUILT, anchor=unsigned(BUILT.anchor)).transparent,
        TRUST,
        Reason.ANCHOR_SIGNATURE,
    ),
    "another event of the gateway in this one's place": (
        replace(BUILT, statement=build(event_fields={3: 78}).statement).transparent,
        TRUST,
        Reason.ANCHOR_SIGNATURE,
    ),
    "a ledger that is not in the trust file": (build(ledger="ledger-2").transparent, TRUST, Reason.UNTRUSTED_LEDGER),
    "a ledger key that is not in the trust file": (
        build(ledger_key=OTHER_KEY).transparent,
        TRUST,
        Reason.UNTRUSTED_LEDGER,
    ),
    "a ledger of another city": (
        build(receipt_claims={1: "other/ledger-1"}).transparent,
        TRUST,
        Reason.UNTRUSTED_LEDGER,
    ),
    "the gateway's key in the ledger's place": (
        build(ledger_key=GATEWAY_KEY).transparent,
        TRUST,
        Reason.UNTRUSTED_LEDGER,
    ),
    "another signed tree size": (build(receipt_claims={-65545: 8}).transparent, TRUST, Reason.TREE_SIZE_MISMATCH),
    "a log proof of another size": (other_log_proof(tree_size=8), TRUST, Reason.TREE_SIZE_MISMATCH),
    "a log proof that is too short": (other_log_proof(path=LOG_PATH[:-1]), TRUST, Reason.LEDGER_INCLUSION),
    "a log proof that is too long": (other_log_proof(path=(*LOG_PATH, bytes(32))), TRUST, Reason.LEDGER_INCLUSION),
    "another entry": (other_log_proof(index=2), TRUST, Reason.LEDGER_SIGNATURE),
    "a log proof with another sibling": (
        other_log_proof(path=(bytes(32), *LOG_PATH[1:])),
        TRUST,
        Reason.LEDGER_SIGNATURE,
    ),
    "a receipt that nobody signed": (
        replace(BUILT, receipt=unsigned(BUILT.receipt)).transparent,
        TRUST,
        Reason.LEDGER_SIGNATURE,
    ),
    "a receipt of another anchor": (
        replace(BUILT, receipt=build(anchor_claims={-65538: 5}).receipt).transparent,
        TRUST,
        Reason.LEDGER_SIGNATURE,
    ),
    "a key revoked from this entry on": (
        GOOD,
        trusting(gateway=[replace(KEY, revoked_from_entry=3)]),
        Reason.KEY_REVOKED,
    ),
    "a key revoked in another table of the same key": (
        GOOD,
        trusting(gateway=[KEY, replace(KEY, journal=OTHER_JOURNAL, revoked_from_entry=0)]),
        Reason.KEY_REVOKED,
    ),
    "a key for another journal": (
        GOOD,
        trusting(gateway=[replace(KEY, journal=OTHER_JOURNAL)]),
        Reason.KEY_OUT_OF_RANGE,
    ),
    "a key for later batches": (GOOD, trusting(gateway=[replace(KEY, first_batch=5)]), Reason.KEY_OUT_OF_RANGE),
    "a key for earlier batches": (GOOD, trusting(gateway=[replace(KEY, last_batch=3)]), Reason.KEY_OUT_OF_RANGE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_with_its_own_reason(name: str) -> None:
    data, trust, reason = REFUSED[name]
    assert reason_of(data, trust) is reason


def test_every_reason_stands_in_the_table() -> None:
    assert {reason for _, _, reason in REFUSED.values()} == set(Reason) - {Reason.PASSPORT_MISMATCH}


PASSPORT = {8: "device.passport", 10: {"place": "Harbour Road 12"}}
EVENT_WITH_PASSPORT = verify(build(event_fields={12: 100}).transparent, TRUST)
ITS_PASSPORT = verify(build(place=0, event_fields=PASSPORT).transparent, TRUST)


def test_a_passport_is_that_of_the_event_that_names_it() -> None:
    check_passport(EVENT_WITH_PASSPORT, ITS_PASSPORT)


@pytest.mark.parametrize(
    ("event", "passport"),
    [
        (replace(EVENT_WITH_PASSPORT, passport=None), ITS_PASSPORT),
        (replace(EVENT_WITH_PASSPORT, passport=99), ITS_PASSPORT),
        *(
            (EVENT_WITH_PASSPORT, replace(ITS_PASSPORT, **other))
            for other in (
                {"city": "other"},
                {"gateway": "gw-2"},
                {"journal": OTHER_JOURNAL},
                {"device": "meter-2"},
                {"sequence": 101},
                {"type": "device.health"},
            )
        ),
    ],
)
def test_another_event_is_not_taken_for_the_passport(event: Proven, passport: Proven) -> None:
    with pytest.raises(RefusedError) as raised:
        check_passport(event, passport)
    assert raised.value.reason is Reason.PASSPORT_MISMATCH


FAULTS: dict[Reason, dict[str, Any]] = {
    Reason.WRONG_ROLE: {"anchor_labels": {16: "wayside-receipt+cose"}},
    Reason.ISSUER_MISMATCH: {"event_claims": {1: "demo/gw-3"}},
    Reason.KEY_MISMATCH: {"event_key": OTHER_KEY},
    Reason.OTHER_CITY: {"city": "other"},
    Reason.UNTRUSTED_GATEWAY: {"gateway": "gw-2"},
    Reason.JOURNAL_MISMATCH: {"event_fields": {2: OTHER_JOURNAL}},
    Reason.SEQUENCE_MISMATCH: {"anchor_claims": {-65541: 7}},
    Reason.COUNT_MISMATCH: {"anchor_claims": {-65540: 6}},
    Reason.UNTRUSTED_LEDGER: {"ledger_key": OTHER_KEY},
    Reason.TREE_SIZE_MISMATCH: {"receipt_claims": {-65545: 8}},
}


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_of_several_faults_the_first_in_order_is_told(number: int) -> None:
    changes: dict[str, Any] = {}
    for fault in list(FAULTS.values())[number:]:
        for name, value in fault.items():
            changes[name] = {**changes.get(name, {}), **value} if isinstance(value, dict) else value
    assert reason_of(build(**changes).transparent) is list(FAULTS)[number]


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        [replace(KEY, revoked_from_entry=4)],
        [replace(KEY, journal=JOURNAL, first_batch=4, last_batch=4)],
        [replace(KEY, journal=OTHER_JOURNAL), replace(KEY, journal=JOURNAL)],
        [replace(KEY, last_batch=3), replace(KEY, first_batch=4)],
        [GatewayKey("gw-1", OTHER_KEY.public, revoked_from_entry=0), KEY],
    ],
    ids=["revoked later", "exactly this batch", "a table a journal", "two ranges", "another key is revoked"],
)
def test_a_key_counts_where_a_table_says_so(keys: list[GatewayKey]) -> None:
    assert reason_of(GOOD, trusting(gateway=keys)) is None


def test_a_backdated_event_is_judged_by_its_place_in_the_log() -> None:
    revoked = trusting(gateway=[replace(KEY, revoked_from_entry=3)])
    for entry, reason in ((2, None), (3, Reason.KEY_REVOKED), (6, Reason.KEY_REVOKED)):
        assert reason_of(build(entry=entry, event_fields={4: 0}).transparent, revoked) is reason


def test_a_colliding_kid_does_not_hide_the_right_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger_sync.proof.trust.key_id", lambda _: GATEWAY_KEY.kid)
    keys = [GatewayKey("gw-1", OTHER_KEY.public), KEY]
    ledgers = [LedgerKey("ledger-1", OTHER_KEY.public), *TRUST.ledger]
    built = build(receipt_labels={4: GATEWAY_KEY.kid})
    assert reason_of(built.transparent, trusting(gateway=keys, ledger=ledgers)) is None


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_every_single_flipped_bit_is_refused() -> None:
    accepted = []
    for bit in range(8 * len(GOOD)):
        flipped = bytearray(GOOD)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        if reason_of(bytes(flipped)) is None:
            accepted.append(bit)
    assert accepted == []


def test_every_truncation_is_refused() -> None:
    assert [length for length in range(len(GOOD)) if reason_of(GOOD[:length]) is not Reason.MALFORMED] == []


def test_an_appended_byte_is_refused() -> None:
    assert {reason_of(GOOD + bytes([byte])) for byte in range(256)} == {Reason.MALFORMED}


@settings(max_examples=200)
@given(st.data())
def test_any_change_of_a_statement_is_refused_with_a_reason(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(GOOD) - 1))
    length = data.draw(st.integers(0, 40))
    changed = GOOD[:position] + data.draw(st.binary(max_size=40)) + GOOD[position + length :]
    assert changed == GOOD or reason_of(changed) is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    assert reason_of(raw) is Reason.MALFORMED
    assert reason_of(b"\xd2\x84" + raw) is Reason.MALFORMED


@pytest.mark.parametrize("raw", [b"\xc4" * 65_536, b"\xd2" + b"\x81" * 65_000, b"\xd2\x84" + b"\xa1\x01" * 30_000])
def test_deep_nesting_is_refused_without_recursion(raw: bytes) -> None:
    assert reason_of(raw) is Reason.MALFORMED


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_verified_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "event.cose"
    path.write_bytes(GOOD)
    assert verify_file(path, TRUST) == verify(GOOD, TRUST)
    path.write_bytes(b"")
    with pytest.raises(RefusedError, match="is empty"):
        verify_file(path, TRUST)


def test_a_file_without_end_is_refused_as_too_large() -> None:
    with pytest.raises(RefusedError) as caught:
        verify_file(Path(os.devnull).with_name("zero"), TRUST)
    assert caught.value.reason is Reason.TOO_LARGE


def test_what_cannot_be_read_is_not_refused_but_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.cose", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UnreadableError, match=str(path)):
            verify_file(path, TRUST)
