"""What can go wrong with a journal, by what is to be done.

JournalError
├── JournalForeignError        it belongs to another gateway or a newer Wayside: stop
├── JournalCorruptError        it cannot be believed: quarantine it, begin a new one
└── UnknownOutcomeError        a commit failed: reopen, read again, then decide
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .recall import Seen


class JournalError(Exception):
    """Something is wrong with a journal. The message names the file and the mend."""


class JournalForeignError(JournalError):
    """The journal belongs to another gateway, or to a newer version of this software."""


class JournalCorruptError(JournalError):
    """The file contradicts itself: `what` says where."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class UnknownOutcomeError(JournalError):
    """A commit failed, so nobody knows whether it took effect until the file has been read again.

    If it turns out to have taken effect, `seen` is what it would have returned.
    """

    def __init__(self, message: str, seen: list[Seen]) -> None:
        super().__init__(message)
        self.seen = seen


def is_corruption(error: sqlite3.Error) -> bool:
    """Whether an error tells of the file's content (a table missing, a page damaged), not of the disk or a lock."""
    content = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    # What the module itself cannot read, such as text that is not UTF-8, comes without a code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return not isinstance(error, sqlite3.OperationalError) or code & 0xFF in content
