from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_sync.city.errors import LogError, StorageError
from ledger_sync.city.log import Head, Log
from ledger_sync.proof.merkle import EMPTY_ROOT, Tree, is_consistent, leaf_hash, root_of_inclusion
from ledger_sync.proof.receipt import SignedRoot


def append(log: Log, anchors: list[bytes]) -> None:
    """A group with its head, as the ledger appends it; nothing here looks at signatures."""
    with log.transaction():
        growth = log.append(anchors)
        log.add_head(Head(growth.size, growth.size, SignedRoot(b"protected", growth.root, bytes(64))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups=st.lists(st.integers(1, 40), min_size=1, max_size=6), data=st.data())
def test_roots_and_proofs_are_those_of_the_tree_over_the_entries(groups: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as logs:
        log, anchors = logs.enter_context(contextlib.closing(Log(Path(directory) / "log.sqlite"))), []
        for number, count in enumerate(groups):
            group = [f"{number}/{index}".encode() for index in range(count)]
            anchors += group
            append(log, group)
            if data.draw(st.booleans()):
                log.close()
                log = logs.enter_context(contextlib.closing(Log(Path(directory) / "log.sqlite")))
        leaves = [leaf_hash(anchor) for anchor in anchors]
        assert log.size == len(anchors)
        assert log.root() == Tree(leaves).root()
        second = data.draw(st.integers(1, len(anchors)))
        entry, first = data.draw(st.integers(0, second - 1)), data.draw(st.integers(1, second))
        older, newer = Tree(leaves[:first]), Tree(leaves[:second])
        inclusion, consistency = log.inclusion_path(entry, second), log.consistency_path(first, second)
        assert inclusion == newer.inclusion_path(entry)
        assert root_of_inclusion(leaf_hash(log.anchor(entry)), entry, second, inclusion) == newer.root()
        assert is_consistent(first, older.root(), second, newer.root(), consistency)


def test_an_empty_log_has_the_empty_root_and_no_head(path: Path) -> None:
    with contextlib.closing(Log(path)) as log:
        assert (log.size, log.root(), log.head) == (0, EMPTY_ROOT, None)


def test_a_log_commits_to_a_write_ahead_log_with_full_synchronisation(path: Path) -> None:
    with contextlib.closing(Log(path)) as log:
        assert log.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert log.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_group_that_is_not_committed_leaves_no_trace(path: Path) -> None:
    log = Log(path)
    append(log, [b"a"])
    with contextlib.suppress(KeyError), log.transaction():
        log.append([b"b"])
        raise KeyError
    log.close()
    with contextlib.closing(Log(path)) as log:
        assert (log.size, log.root()) == (1, leaf_hash(b"a"))


def test_a_head_is_found_by_its_size_alone(path: Path) -> None:
    with contextlib.closing(Log(path)) as log:
        append(log, [b"a", b"b"])
        assert log.head_at(2) == log.head
        assert log.head_at(1) is None


def test_a_proof_costs_reads_that_grow_with_the_logarithm(path: Path) -> None:
    with contextlib.closing(Log(path)) as log:
        append(log, [index.to_bytes(4, "big") for index in range(5000)])
        reads: list[str] = []
        log.connection.set_trace_callback(reads.append)
        log.inclusion_path(1234, 4999)
        log.consistency_path(1234, 4999)
        assert 0 < len(reads) < 60


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM entries WHERE entry = 2",
        "DELETE FROM heads",
        "UPDATE heads SET root = zeroblob(32)",
        "UPDATE entries SET nodes = zeroblob(length(nodes))",
        "UPDATE entries SET nodes = x'00'",
        "INSERT INTO entries SELECT entry + 1, nodes, anchor FROM entries WHERE entry = 2",
    ],
)
def test_a_log_that_is_not_what_its_newest_head_signed_is_not_opened(path: Path, damage: str) -> None:
    log = Log(path)
    append(log, [b"a", b"b", b"c"])
    log.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    with pytest.raises(LogError, match=str(path)):
        Log(path)


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(LogError, match="keep the file"):
        Log(path)


def test_a_folder_that_is_not_there_is_a_storage_error(path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open"):
        Log(path / "below")
