from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edge.export import export_journal
from edge.journal.errors import JournalCorruptError
from edge.journal.reader import JournalReader
from ledger_sync.proof.verify import verify_file
from tests.edge.journals import TRUST, alter, receipted_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three batches of four, two of them receipted; then one open event."""
    return receipted_journal(tmp_path / "var", receipts=2)


def exported(path: Path, directory: Path) -> tuple[int, int]:
    with JournalReader(path) as reader:
        return export_journal(reader, directory, lambda _: None)


def files(directory: Path) -> list[str]:
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file())


def test_each_event_of_a_receipted_batch_becomes_a_file_that_verifies(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "out"
    assert exported(path, out) == (8, 0)
    with JournalReader(path) as reader:
        name = reader.id.hex()
    expected = [f"{name}/{1 + (sequence - 1) // 4}/{sequence}.cose" for sequence in range(1, 9)]
    assert files(out) == expected
    for sequence, file in enumerate(expected, 1):
        proven = verify_file(out / file, TRUST)
        assert (proven.sequence, proven.journal.hex()) == (sequence, name)


def test_an_export_that_is_done_writes_nothing_again(path: Path, tmp_path: Path) -> None:
    exported(path, tmp_path / "out")
    before = {file: (tmp_path / "out" / file).stat().st_mtime_ns for file in files(tmp_path / "out")}
    assert exported(path, tmp_path / "out") == (0, 8)
    assert {file: (tmp_path / "out" / file).stat().st_mtime_ns for file in files(tmp_path / "out")} == before


@pytest.mark.parametrize("point", ["fsync", "rename"])
def test_an_export_goes_on_where_it_was_interrupted(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    calls = 0
    where = "os.fsync" if point == "fsync" else "pathlib.Path.rename"
    target: Any = os.fsync if point == "fsync" else Path.rename

    def pull_the_plug(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return target(*arguments)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(where, pull_the_plug)
        with pytest.raises(KeyboardInterrupt):
            exported(path, out)
    whole = [file for file in files(out) if file.endswith(".cose")]
    assert 4 <= len(whole) < 8
    assert all(verify_file(out / file, TRUST) for file in whole)
    assert exported(path, out) == (8 - len(whole), len(whole))
    assert len(files(out)) == 8, "nothing unfinished is left"
    assert all(verify_file(out / file, TRUST) for file in files(out))


def test_a_file_of_somebody_else_in_the_folder_does_not_count(path: Path, tmp_path: Path) -> None:
    with JournalReader(path) as reader:
        folder = tmp_path / "out" / reader.id.hex() / "1"
    folder.mkdir(parents=True)
    for name in ("notes.cose", "5.cose", "999.cose", "1.part"):
        (folder / name).write_text("not of this batch")
    assert exported(path, tmp_path / "out") == (8, 0)


def test_a_batch_that_was_altered_is_not_handed_over(path: Path, tmp_path: Path) -> None:
    alter(path, "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 1) WHERE sequence = 6")
    with pytest.raises(JournalCorruptError, match="batch 2"):
        exported(path, tmp_path / "out")
    assert len(files(tmp_path / "out")) == 4
