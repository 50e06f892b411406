"""What lies on the gateway: counted, found in its journal, and removed when it may go."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from devices.camera.evidence.folder import KEPT, STATEMENT, add_durably, evidence_folders
from devices.camera.evidence.store import EvidenceStore
from edge.evidence.local import LocalEvidence
from edge.evidence.statement import StatementSearch
from edge.journal.files import current_journal, set_aside
from edge.journal.reader import JournalReader
from tests.edge.journals import new_event, open_journal
from tests.support.offered_evidence import DEVICE, make_offered
from tests.support.violation import KEYS, raw_set, speeding, working_set

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0


def keep(data_dir: Path, *marks: str) -> Path:
    store = EvidenceStore(data_dir / "evidence" / DEVICE, KEYS)
    reading = store.keep(speeding(), working_set(size=5000), raw_set(1, 5000))
    folder = data_dir / "evidence" / DEVICE / str(reading.id)
    for name in marks:
        add_durably(folder, name)
    return folder


def test_every_piece_is_counted_in_its_state(tmp_path: Path) -> None:
    keep(tmp_path)
    keep(tmp_path, "refused")
    pending = [keep(tmp_path, "recorded"), keep(tmp_path, "recorded")]
    kept = keep(tmp_path, "recorded", KEPT)
    stock = LocalEvidence(tmp_path / "evidence", HOUR, 1 << 30).take_stock()
    assert (stock.unrecorded, stock.refused) == (1, 1)
    assert stock.pending == pending
    assert [folder for _, folder in stock.acknowledged] == [kept]
    assert stock.bytes == sum(one.stat().st_size for one in (tmp_path / "evidence").rglob("*") if one.is_file())
    assert stock.oldest_s is not None
    assert time.time() - stock.oldest_s < 60


def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    assert LocalEvidence(tmp_path / "evidence", 0, 1).take_stock().bytes == 0


def test_only_what_is_acknowledged_goes_and_only_when_its_time_has_come(tmp_path: Path) -> None:
    others = {keep(tmp_path), keep(tmp_path, "recorded"), keep(tmp_path, "refused")}
    old, new = keep(tmp_path, "recorded", KEPT), keep(tmp_path, "recorded", KEPT)
    os.utime(old / KEPT, (time.time() - 2 * HOUR,) * 2)
    stock = LocalEvidence(tmp_path / "evidence", HOUR, 1 << 30).take_stock()
    assert set(evidence_folders(tmp_path / "evidence" / DEVICE)) == others | {new}
    assert [folder for _, folder in stock.acknowledged] == [new]
    assert LocalEvidence(tmp_path / "evidence", 0, 1 << 30).take_stock().acknowledged == []
    assert {one.name for one in (tmp_path / "evidence" / DEVICE).iterdir()} == {one.name for one in others}


def test_above_the_cap_the_oldest_that_is_acknowledged_goes_at_once_and_no_more_than_must(tmp_path: Path) -> None:
    pending = keep(tmp_path, "recorded")
    oldest, newer = keep(tmp_path, "recorded", KEPT), keep(tmp_path, "recorded", KEPT)
    os.utime(oldest / KEPT, (time.time() - 100,) * 2)
    size = LocalEvidence(tmp_path / "evidence", HOUR, 1 << 30).take_stock().bytes
    LocalEvidence(tmp_path / "evidence", HOUR, size - 1).take_stock()
    assert set(evidence_folders(tmp_path / "evidence" / DEVICE)) == {pending, newer}
    LocalEvidence(tmp_path / "evidence", HOUR, 1).take_stock()
    assert evidence_folders(tmp_path / "evidence" / DEVICE) == [pending]


@pytest.mark.parametrize("others_after", [0, 7000])
def test_the_statement_is_found_however_long_ago_it_was_recorded_and_is_put_beside(
    tmp_path: Path, others_after: int
) -> None:
    offered = make_offered(tmp_path)
    (offered.folder / STATEMENT).unlink()
    with open_journal(tmp_path) as journal:
        if others_after:
            journal.commit([new_event(number=number) for number in range(others_after)])
        with JournalReader(journal.path) as reader:
            search = StatementSearch(reader, tmp_path)
            assert search.statement_of(offered.folder) == offered.offer.statement
    assert (offered.folder / STATEMENT).read_bytes() == offered.offer.statement


def test_it_is_found_in_a_journal_that_was_set_aside_and_nowhere_else_is_none(tmp_path: Path) -> None:
    offered = make_offered(tmp_path)
    (offered.folder / STATEMENT).unlink()
    set_aside(tmp_path)
    with open_journal(tmp_path) as journal:
        journal.commit([new_event()])
        with JournalReader(journal.path) as reader:
            search = StatementSearch(reader, tmp_path)
            assert search.statement_of(offered.folder) == offered.offer.statement
            assert search.statement_of(keep(tmp_path, "recorded")) is None
    assert current_journal(tmp_path).exists()
