from __future__ import annotations

from pathlib import Path  # noqa: TC003 - a fixture's type

import pytest

from edge.signer import FileSigner
from ledger_sync.proof.anchor import AnchorClaims, parse_anchor
from ledger_sync.proof.cose import Role, is_signed_by, parse, role_of
from ledger_sync.proof.errors import RoleError
from ledger_sync.proof.event import PayloadEncoder, encode_data, parse_event
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.keyfile import load_key, make_key
from tests.edge.journals import GATEWAY_KEY, OTHER_KEY, SIGNER, STAMP, UTC_US

JOURNAL = bytes(range(16))
ROOT = bytes(32)


def payload(sequence: int = 1) -> bytes:
    row = event_type("gateway.heartbeat")
    return PayloadEncoder(JOURNAL).encode(sequence, 1, STAMP, row, encode_data(row, {}), 3)


def claims() -> AnchorClaims:
    return AnchorClaims(SIGNER.issuer, UTC_US // 1_000_000, JOURNAL, 1, None, 2, 1, UTC_US, UTC_US, 0, None)


def test_a_statement_is_an_event_signed_by_this_gateways_key() -> None:
    statement = SIGNER.statement("gw-1", payload())
    envelope, event = parse(statement), parse_event(statement)
    assert role_of(envelope.protected) == Role.EVENT
    assert (event.city, event.gateway, event.device, event.kid) == ("demo", "gw-1", "gw-1", GATEWAY_KEY.kid)
    assert envelope.payload == payload()
    assert is_signed_by(envelope, payload(), SIGNER.public_key)
    assert not is_signed_by(envelope, payload(), OTHER_KEY.public_key)
    assert not is_signed_by(envelope, payload(2), SIGNER.public_key)


def test_each_device_is_the_subject_of_its_own_statements() -> None:
    signer = FileSigner("demo", "gw-1", GATEWAY_KEY)
    devices = [parse_event(signer.statement(device, payload())).device for device in ("a", "b", "a")]
    assert devices == ["a", "b", "a"]


def test_an_anchor_is_signed_and_is_no_event() -> None:
    anchor = SIGNER.anchor(claims(), ROOT)
    parsed = parse_anchor(anchor)
    assert parsed.claims == claims()
    assert is_signed_by(parsed.envelope, ROOT, SIGNER.public_key)
    with pytest.raises(RoleError):
        parse_event(anchor)
    with pytest.raises(RoleError):
        parse_anchor(SIGNER.statement("gw-1", bytes(32)))


def test_signing_is_deterministic_so_that_a_repeat_is_harmless() -> None:
    assert SIGNER.statement("gw-1", payload()) == SIGNER.statement("gw-1", payload())
    assert SIGNER.anchor(claims(), ROOT) == SIGNER.anchor(claims(), ROOT)


def test_the_key_of_an_identity_file_signs_and_shows_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "event.key"
    assert make_key(path)
    key = load_key(path)
    signer = FileSigner("demo", "gw-1", key)
    assert is_signed_by(parse(signer.statement("gw-1", payload())), payload(), key.public_key)
    assert signer.public_key == key.public_key
    secret = path.read_text().splitlines()[1]
    assert secret not in f"{signer!r} {vars(signer)!r}"
