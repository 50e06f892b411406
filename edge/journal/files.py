"""Where journals lie in the data directory, how one is born, and how one that cannot be believed is set aside.

    <data_dir>/gateway.lock                       held by the one process that owns the journals
    <data_dir>/journal/journal.sqlite             the current journal
    <data_dir>/journal-0001-<id>/journal.sqlite   set aside; kept for its owner to look at

A journal is a directory, so that file and write-ahead log move together, in one rename.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

from ledger_sync.proof.durable import sync_directory
from ledger_sync.proof.names import JOURNAL_ID_BYTES

from .schema import migrate, open_to_read, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

_CURRENT = "journal"
_FILE = "journal.sqlite"
_NUMBER_DIGITS_MAX = 9


def current_journal(data_dir: Path) -> Path:
    """The current journal's file; it need not exist yet."""
    return data_dir / _CURRENT / _FILE


def journals(data_dir: Path) -> list[Path]:
    """All journals' files, oldest first; the current one last."""
    known = [*journals_set_aside(data_dir), current_journal(data_dir)]
    return [path for path in known if path.exists()]


def journals_set_aside(data_dir: Path) -> list[Path]:
    """The files of journals that were set aside, oldest first; what was set aside may have lost its file."""
    return [folder / _FILE for folder in _set_aside_folders(data_dir)]


def _set_aside_folders(data_dir: Path) -> list[Path]:
    return sorted((one for one in data_dir.glob(f"{_CURRENT}-*-*") if _number(one)), key=_number)


def _number(folder: Path) -> int:
    digits = folder.name.split("-")[1]
    return int(digits) if digits.isdecimal() and len(digits) <= _NUMBER_DIGITS_MAX else 0


def ensure_born(data_dir: Path, city: str, gateway: str) -> Path:
    """The current journal's file, made with a new random id if there is none. A crash leaves none or a whole one."""
    path = current_journal(data_dir)
    if path.exists():
        return path
    if path.parent.exists():
        set_aside(data_dir)  # its file is gone, and a write-ahead log without its file tells nothing
    unborn = data_dir / f"{_CURRENT}.new"
    shutil.rmtree(unborn, ignore_errors=True)
    unborn.mkdir(parents=True)
    connection = open_to_write(unborn / _FILE)
    try:
        migrate(connection, unborn / _FILE)
        birth = (secrets.token_bytes(JOURNAL_ID_BYTES), city, gateway, time.time_ns() // 1000)
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", birth)
    finally:
        connection.close()
    sync_directory(unborn)
    unborn.rename(path.parent)
    sync_directory(data_dir)
    return path


class LastKnown(NamedTuple):
    """What can still be read of a journal that was set aside; None where nothing can."""

    journal: bytes | None
    batch: int | None
    sequence: int | None


def set_aside(data_dir: Path) -> Path:
    """Move the current journal out of the way, whole; returns where its file is now."""
    number = 1 + max((_number(folder) for folder in _set_aside_folders(data_dir)), default=0)
    journal = last_known(current_journal(data_dir)).journal
    target = data_dir / f"{_CURRENT}-{number:04}-{journal.hex() if journal else 'unreadable'}"
    (data_dir / _CURRENT).rename(target)
    sync_directory(data_dir)
    return target / _FILE


def last_known(path: Path) -> LastKnown:
    """The last journal id, batch and sequence that can be read from a journal, however damaged."""
    values: list[bytes | int | None] = []
    for query in ("SELECT id FROM journal", "SELECT max(number) FROM batch", "SELECT max(sequence) FROM event"):
        try:
            with contextlib.closing(open_to_read(path)) as connection:
                row = connection.execute(query).fetchone()
        except sqlite3.Error:
            row = None
        values.append(row[0] if row else None)
    journal, batch, sequence = values
    return LastKnown(
        journal if isinstance(journal, bytes) and len(journal) == JOURNAL_ID_BYTES else None,
        batch if isinstance(batch, int) and batch > 0 else None,
        sequence if isinstance(sequence, int) and sequence > 0 else None,
    )
