import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_sync.proof import cbor, cose
from ledger_sync.proof.errors import Reason, RefusedError, UnreadableError
from ledger_sync.proof.event_types import SETTLING_DATA_BYTES_MAX, SETTLING_STATEMENT_BYTES_MAX
from ledger_sync.proof.receipt import InclusionProof
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust
from ledger_sync.proof.verify import verify, verify_file
from tests.support.city_of_proofs import (
    GATEWAY_KEY,
    JOURNAL,
    LEDGER_KEY,
    LOGGED_S,
    METER_READING,
    OTHER_KEY,
    SEEN_S,
    TRUST,
    UTC_US,
    Built,
    build,
)

BUILT = build()
GOOD = BUILT.transparent


def reason_of(data: bytes, trust: Trust = TRUST) -> Reason | None:
    try:
        verify(data, trust)
    except RefusedError as error:
        assert str(error)
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


def forged_signature(statement: bytes) -> bytes:
    return replace(cose.parse(statement), signature=bytes(64)).encode()


def in_its_own_batch(statement: bytes) -> bytes:
    """A transparent statement in which `statement` stands in a batch and a log that are properly signed for it."""

    class Given(type(PLAN)):  # type: ignore[misc]
        def event(self) -> bytes:
            return statement

    return build(Given()).transparent


def with_proof(built: Built, **changes: Any) -> bytes:
    return replace(built, batch_proof=replace(built.batch_proof, **changes)).transparent


def with_log_proof(**changes: Any) -> bytes:
    envelope = cose.parse(BUILT.receipt)
    (raw,) = envelope.unprotected[396][-1]
    size, index, path = cbor.decode(raw)
    proof = replace(InclusionProof(size, index, tuple(path)), **changes)
    return replace(BUILT, receipt=replace(envelope, unprotected={396: proof.as_vdp()}).encode()).transparent
