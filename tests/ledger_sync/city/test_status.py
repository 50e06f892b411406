from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger_sync.city.errors import LogError
from ledger_sync.city.log import Log
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.anchor import anchor_hash
from ledger_sync.proof.merkle import EMPTY_ROOT
from tests.ledger_sync.city.gateways import CITY, Gateway, ledger_settings, open_ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_a_ledger_that_never_ran_is_empty(tmp_path: Path) -> None:
    status = ledger_status(ledger_settings(tmp_path))
    assert (status["size"], status["root"], status["last_entry"]) == (0, EMPTY_ROOT.hex(), None)
    assert not (tmp_path / "log.sqlite").exists()


def test_a_log_without_entries_is_empty(tmp_path: Path) -> None:
    Log(tmp_path / "log.sqlite").close()
    assert ledger_status(ledger_settings(tmp_path))["size"] == 0


def test_status_is_read_while_the_ledger_runs(tmp_path: Path) -> None:
    gateway, other = Gateway(), Gateway("gw-2", journal=7)
    with open_ledger(tmp_path, gateway.registered, other.registered) as ledger:
        newest = gateway.seal()
        head = ledger.register([newest, other.seal(count=5), Gateway("stranger").seal()]).head
        status = ledger_status(ledger_settings(tmp_path))
    assert head is not None
    assert (status["city"], status["id"], status["log"], status["size"]) == (CITY, "ledger-1", "log-1", 2)
    assert (status["root"], status["issued_at"]) == (head.signed.root.hex(), head.issued_at)
    journal = other.journal.hex()
    assert status["last_entry"] == {"entry": 1, "gateway": "gw-2", "journal": journal, "batch": 1}
    assert status["gateways"]["gw-1"][gateway.journal.hex()] == {
        "batch": 1,
        "anchor_hash": anchor_hash(newest.anchor).hex(),
        "next_sequence": 11,
    }
    assert status["gateways"]["gw-2"][journal]["next_sequence"] == 6
    assert [(row["gateway"], row["reason"], row["count"]) for row in status["refusals"]] == [(None, "unknown-key", 1)]
    json.dumps(status)


def test_status_is_read_after_the_ledger_stopped(tmp_path: Path) -> None:
    gateway = Gateway()
    with open_ledger(tmp_path, gateway.registered) as ledger:
        ledger.register([gateway.seal()])
    assert ledger_status(ledger_settings(tmp_path))["size"] == 1


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"no database at all " * 100)
    with pytest.raises(LogError, match="keep the file"):
        ledger_status(ledger_settings(tmp_path))
