"""A device's passport in the journal: once, again when it changed, and named by every later event of the device."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge.journal.errors import JournalCorruptError, UnknownOutcomeError
from edge.journal.files import ensure_born, set_aside
from edge.journal.reader import JournalReader
from edge.journal.recall import Seen
from edge.journal.schema import open_to_write
from edge.journal.verify import JournalRefutedError, verify_journal
from edge.journal.writer import JournalWriter
from edge.signer import FileSigner
from ledger_sync.proof.event import PayloadEncoder, encode_data, parse_event
from ledger_sync.proof.event_types import PASSPORT, event_type
from tests.edge.journals import (
    CITY,
    GATEWAY,
    GATEWAY_KEY,
    LEDGERS,
    OTHER_KEY,
    SEAL,
    SIGNER,
    STAMP,
    alter,
    new_event,
    open_journal,
    passport,
)

if TYPE_CHECKING:
    from ledger_sync.proof.event_types import EventType

PLACE = {"place": "Harbour Road 12"}
MOVED = {"place": "Mill Lane 3"}
VERSION_1 = Path(__file__).with_name("version_1.sql")


def references(path: Path) -> list[tuple[str, bool, int | None]]:
    """(device, whether it is a passport, field 12) of each event."""
    with JournalReader(path) as reader:
        events = [parse_event(statement) for _, statement in reader.statements(1, 1 << 40)]
    return [(event.device, event.type == PASSPORT, event.passport) for event in events]


def check(path: Path) -> None:
    with JournalReader(path) as reader:
        verify_journal(reader, GATEWAY_KEY.public_key, LEDGERS)


def refuted(path: Path) -> str:
    with pytest.raises(JournalRefutedError) as raised:
        check(path)
    return str(raised.value)


def test_every_later_event_of_a_device_names_its_passport_in_force(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event("a"), passport("a", PLACE), new_event("a"), new_event("b"), SEAL])
        journal.commit([new_event("a"), passport("a", MOVED), new_event("a"), passport("a", {}), new_event("a")])
    assert references(journal.path) == [
        ("a", False, None),
        ("a", True, None),
        ("a", False, 2),
        ("b", False, None),
        ("a", False, 2),
        ("a", True, None),
        ("a", False, 6),
        ("a", True, None),
        ("a", False, 8),
    ]
    check(journal.path)


def test_a_passport_that_says_nothing_new_is_not_recorded(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.commit([passport("a", {}), passport("a", PLACE), passport("a", PLACE)]) == [
            Seen.SAME,
            Seen.NEW,
            Seen.SAME,
        ]
        assert journal.commit([passport("a", PLACE), passport("a", {}), passport("a", {}), passport("a", PLACE)]) == [
            Seen.SAME,
            Seen.NEW,
            Seen.SAME,
            Seen.NEW,
        ]
        assert journal.position[0] == 4


@pytest.mark.parametrize("sealed", [False, True])
def test_a_restart_knows_the_passports_of_open_and_sealed_batches(tmp_path: Path, *, sealed: bool) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", MOVED), passport("b", MOVED), passport("a", PLACE), *[SEAL] * sealed])
    with open_journal(tmp_path) as journal:
        assert journal.commit([passport("a", PLACE), passport("b", MOVED)]) == [Seen.SAME] * 2
        journal.commit([new_event("a"), new_event("b"), new_event("c")])
    assert references(journal.path)[3:] == [("a", False, 3), ("b", False, 2), ("c", False, None)]
    check(journal.path)


def test_a_new_journal_gets_the_passport_anew(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", PLACE)])
    set_aside(tmp_path)
    with open_journal(tmp_path) as journal:
        assert journal.commit([passport("a", PLACE), new_event("a")]) == [Seen.NEW] * 2
    assert references(journal.path) == [("a", True, None), ("a", False, 1)]


@pytest.mark.parametrize("outcome", ["lost", "landed"])
def test_after_a_commit_of_unknown_outcome_the_passport_is_the_one_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", PLACE)])
        real = journal._connection

        class Failing:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def execute(self, statement: str, *parameters: Any) -> Any:
                if statement == "COMMIT":
                    if outcome == "landed":
                        real.execute(statement)
                    raise sqlite3.OperationalError("disk I/O error")
                return real.execute(statement, *parameters)

        monkeypatch.setattr(journal, "_connection", Failing())
        with pytest.raises(UnknownOutcomeError):
            journal.commit([passport("a", MOVED)])
        journal.reopen()
        journal.commit([new_event("a")])
    assert references(journal.path)[-1] == ("a", False, 2 if outcome == "landed" else 1)
    check(journal.path)


def test_the_start_path_finds_passports_by_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def traced(path: Path) -> sqlite3.Connection:
        connection = open_to_write(path)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr("edge.journal.writer.open_to_write", traced)
    with open_journal(tmp_path) as journal, closing(sqlite3.connect(journal.path)) as connection:
        (query,) = (one for one in asked if PASSPORT in one)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    (scan,) = (one for one in plan if one.startswith("SCAN"))
    assert "INDEX event_passport" in scan


def journal_of_version_1(data_dir: Path) -> Path:
    path = ensure_born(data_dir, CITY, GATEWAY)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
    return path


def test_a_journal_of_version_1_is_migrated_and_gone_on_with(tmp_path: Path) -> None:
    path = journal_of_version_1(tmp_path)
    check(path)
    with open_journal(tmp_path) as journal:
        assert journal.position == (6, 3)
        journal.commit([passport("gate-1", PLACE), new_event("gate-1", number=9)])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT name FROM _sqlite_migrations").fetchall() == [("1-tables",), ("2-passports",)]
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'event_passport'").fetchone() == (1,)
    with open_journal(tmp_path) as journal:
        assert journal.commit([passport("gate-1", PLACE)]) == [Seen.SAME]
    assert references(path) == [("gate-1", False, None)] * 5 + [("gate-1", True, None), ("gate-1", False, 6)]
    check(path)


def test_a_migration_that_a_crash_cut_off_is_made_good(tmp_path: Path) -> None:
    path = journal_of_version_1(tmp_path)
    with open_journal(tmp_path):
        pass
    alter(path, "PRAGMA user_version = 1")
    with open_journal(tmp_path) as journal:
        assert journal.commit([passport("gate-1", PLACE)]) == [Seen.NEW]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE event SET device = 'b' WHERE sequence = 1", "event 1 is altered"),
        ("UPDATE event SET type = 'device.passport' WHERE sequence = 2", "event 2 is altered"),
        (
            "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 2) WHERE sequence = 1",
            "another's",
        ),
        ("UPDATE event SET statement = x'd2' WHERE sequence = 1", "byte"),
    ],
)
def test_a_damaged_passport_of_a_sealed_batch_is_not_gone_on_with(tmp_path: Path, change: str, what: str) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", PLACE), new_event("a"), SEAL])
    alter(journal.path, change)
    with pytest.raises(JournalCorruptError, match=what):
        JournalWriter(journal.path, SIGNER, 10)


class MisnamingEncoder(PayloadEncoder):
    """Names another passport than the one in force."""

    named: int | None = None

    def encode(self, sequence: int, counter: int, stamp: Any, row: EventType, *rest: Any) -> bytes:
        data, origin, evidence, _ = rest
        return super().encode(sequence, counter, stamp, row, data, origin, evidence, self.named)


@pytest.mark.parametrize("named", [None, 1, 2, 3])
def test_journal_verify_refutes_an_event_that_names_another_passport(tmp_path: Path, named: int | None) -> None:
    """None; another device's; a former one; no passport at all. The one in force is event 4."""
    with open_journal(tmp_path) as journal:
        journal.commit([passport("b", PLACE), passport("a", PLACE), new_event("c"), passport("a", MOVED)])
        encoder = MisnamingEncoder(journal.journal_id)
        encoder.named = named
        journal._encoder = encoder
        journal.commit([new_event("a")])
    assert refuted(journal.path) == f"event 5: names {named} as the passport of a, which is 4"


def test_journal_verify_refutes_a_passport_that_names_one(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", PLACE)])
        encoder = MisnamingEncoder(journal.journal_id)
        encoder.named = 1
        journal._encoder = encoder
        journal.commit([passport("a", MOVED)])
    assert refuted(journal.path).startswith("event 2: names 1 as the passport")


def test_a_passport_of_another_key_is_not_gone_on_with(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([passport("a", PLACE)])
        encoder = PayloadEncoder(journal.journal_id)
    row = event_type(PASSPORT)
    payload = encoder.encode(1, 1, STAMP, row, encode_data(row, MOVED), 0)
    forged = FileSigner(CITY, GATEWAY, OTHER_KEY).statement("a", payload)
    alter(journal.path, "UPDATE event SET statement = ? WHERE sequence = 1", forged)
    with pytest.raises(JournalCorruptError, match="event 1 is not signed by this gateway's key"):
        JournalWriter(journal.path, SIGNER, 10)


class PassportMachine(RuleBasedStateMachine):
    """The journal against a model of each device's passport, through seals, restarts and reopenings."""

    devices = st.sampled_from(["a", "b"])
    passports = st.sampled_from([{}, PLACE, MOVED])

    @initialize(count_max=st.integers(1, 5))
    def begin(self, count_max: int) -> None:
        self.folder = TemporaryDirectory()
        self.path = ensure_born(Path(self.folder.name), CITY, GATEWAY)
        self.count_max = count_max
        self.in_force: dict[str, tuple[int, dict[str, str]]] = {}
        self.expected: list[tuple[str, bool, int | None]] = []
        self.journal = JournalWriter(self.path, SIGNER, count_max)

    @rule(said=st.lists(st.tuples(devices, st.none() | passports), min_size=1, max_size=6))
    def say(self, said: list[tuple[str, dict[str, str] | None]]) -> None:
        changes = [new_event(device) if data is None else passport(device, data) for device, data in said]
        for (device, data), seen in zip(said, self.journal.commit(changes), strict=True):
            sequence, known = self.in_force.get(device, (None, {}))
            assert seen is (Seen.SAME if data == known else Seen.NEW)
            if data is None:
                self.expected.append((device, False, sequence))
            elif data != known:
                self.expected.append((device, True, None))
                self.in_force[device] = (len(self.expected), data)

    @rule()
    def seal(self) -> None:
        self.journal.commit([SEAL])

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = JournalWriter(self.path, SIGNER, self.count_max)

    @rule()
    def reopen(self) -> None:
        self.journal.reopen()

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            assert references(self.path) == self.expected
            check(self.path)
            self.folder.cleanup()


TestPassports = PassportMachine.TestCase
TestPassports.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
