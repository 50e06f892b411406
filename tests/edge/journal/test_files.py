from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.journal import files
from edge.journal.files import (
    LastKnown,
    current_journal,
    ensure_born,
    journals,
    journals_set_aside,
    last_known,
    set_aside,
)
from tests.edge.journals import CITY, GATEWAY, alter, receipted_journal

if TYPE_CHECKING:
    from pathlib import Path


def journal_id(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        born: bytes = connection.execute("SELECT id FROM journal").fetchone()[0]
    return born


def test_a_journal_is_born_once_with_a_random_id(tmp_path: Path) -> None:
    path = ensure_born(tmp_path / "a", CITY, GATEWAY)
    assert path == current_journal(tmp_path / "a")
    assert len(journal_id(path)) == 16
    assert ensure_born(tmp_path / "a", CITY, GATEWAY) == path
    assert journal_id(path) != journal_id(ensure_born(tmp_path / "b", CITY, GATEWAY))


@pytest.mark.parametrize("crash_at", ["migrate", "sync_directory", "rename"])
def test_a_crash_at_birth_leaves_no_journal_or_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: str
) -> None:
    def crash(*_: object) -> None:
        raise OSError(errno.EIO, "the plug was pulled")

    with monkeypatch.context() as patch:
        if crash_at == "rename":
            patch.setattr("pathlib.Path.rename", crash)
        else:
            patch.setattr(files, crash_at, crash)
        with pytest.raises(OSError, match="plug"):
            ensure_born(tmp_path, CITY, GATEWAY)
    assert journals(tmp_path) == []
    assert len(journal_id(ensure_born(tmp_path, CITY, GATEWAY))) == 16
    assert sorted(one.name for one in tmp_path.iterdir()) == ["journal"]


def test_journals_are_listed_oldest_first_and_the_current_one_last(tmp_path: Path) -> None:
    ids = []
    for _ in range(3):
        ids.append(journal_id(ensure_born(tmp_path, CITY, GATEWAY)))
        set_aside(tmp_path)
    assert [journal_id(path) for path in journals(tmp_path)] == ids
    ids.append(journal_id(ensure_born(tmp_path, CITY, GATEWAY)))
    assert [journal_id(path) for path in journals(tmp_path)] == ids
    assert journals_set_aside(tmp_path) == journals(tmp_path)[:-1]


def test_the_order_survives_the_removal_of_an_old_one_and_the_10000th(tmp_path: Path) -> None:
    for number in (7, 9999):
        (tmp_path / f"journal-{number:04}-unreadable").mkdir()
    (tmp_path / "journal-of-somebody-else").mkdir()
    ensure_born(tmp_path, CITY, GATEWAY)
    assert set_aside(tmp_path).parent.name.startswith("journal-10000-")
    assert [path.parent.name[:12] for path in journals_set_aside(tmp_path)] == [
        "journal-0007",
        "journal-9999",
        "journal-1000",
    ]


def test_what_is_set_aside_is_moved_whole(tmp_path: Path) -> None:
    path = receipted_journal(tmp_path)
    content, name = path.read_bytes(), journal_id(path).hex()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE device SET counter = 99")
        log = path.with_name("journal.sqlite-wal").read_bytes()
        kept = set_aside(tmp_path)
        assert kept == tmp_path / f"journal-0001-{name}" / "journal.sqlite"
        assert kept.with_name("journal.sqlite-wal").read_bytes() == log
    assert content
    assert not path.exists()


def test_a_journal_whose_file_is_gone_is_set_aside_and_a_new_one_is_born(tmp_path: Path) -> None:
    path = receipted_journal(tmp_path)
    path.unlink()
    path.with_name("journal.sqlite-wal").write_bytes(b"left over")
    assert len(journal_id(ensure_born(tmp_path, CITY, GATEWAY))) == 16
    (gone,) = journals_set_aside(tmp_path)
    assert gone.parent.name == "journal-0001-unreadable"
    assert last_known(gone) == LastKnown(None, None, None)


def test_the_last_known_of_a_journal_is_what_can_still_be_read(tmp_path: Path) -> None:
    path = receipted_journal(tmp_path, batches=3, count=4)
    name = journal_id(path)
    assert last_known(path) == LastKnown(name, 3, 13)
    alter(path, "DROP TABLE event")
    assert last_known(path) == LastKnown(name, 3, None)
    path.write_bytes(b"no database at all, and longer than a header of SQLite: " + bytes(4096))
    assert last_known(path) == LastKnown(None, None, None)


def test_the_last_known_is_never_what_no_event_could_say(tmp_path: Path) -> None:
    path = receipted_journal(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE journal SET id = x'0102'")
        connection.execute("DELETE FROM batch")
        connection.execute("DELETE FROM event")
        connection.execute("INSERT INTO event VALUES (-1, 'gate-1', 'fare.tap', 0, x'', NULL)")
    assert last_known(path) == LastKnown(None, None, None)
