from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import is_corruption

if TYPE_CHECKING:
    from pathlib import Path


def failure(path: Path, query: str) -> sqlite3.Error:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.Error) as raised:
            connection.execute(query).fetchall()
        return raised.value


def test_a_damaged_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"no database" * 100)
    assert is_corruption(failure(path, "SELECT * FROM event"))


def test_a_missing_table_is_corrupt(tmp_path: Path) -> None:
    assert is_corruption(failure(tmp_path / "file", "SELECT * FROM event"))


def test_text_that_is_not_utf_8_is_corrupt(tmp_path: Path) -> None:
    assert is_corruption(failure(tmp_path / "file", "SELECT CAST(x'ff' AS TEXT)"))


def test_a_lock_and_a_missing_file_are_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert not is_corruption(failure(path, "SELECT * FROM sqlite_master"))
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect(tmp_path / "no" / "such" / "file")
    assert not is_corruption(raised.value)
