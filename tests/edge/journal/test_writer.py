from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.journal import recall as recall_module
from edge.journal.errors import UnknownOutcomeError
from edge.journal.files import ensure_born
from edge.journal.reader import JournalReader
from edge.journal.recall import Seen
from edge.journal.verify import verify_journal
from edge.journal.writer import JournalWriter, KeepAnswer, NewEvent, Seal
from ledger_sync.proof.anchor import anchor_hash, parse_anchor
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.merkle import Frontier, leaf_hash
from tests.edge.journals import (
    CITY,
    GATEWAY,
    GATEWAY_KEY,
    LEDGERS,
    SEAL,
    SIGNER,
    STAMP,
    UTC_US,
    Ledger,
    anchors,
    new_event,
    open_journal,
)


def events(path: Path) -> list[Any]:
    with JournalReader(path) as reader:
        return [parse_event(statement) for _, statement in reader.statements(1, 1 << 40)]


def batches(path: Path) -> list[Any]:
    with JournalReader(path) as reader:
        return list(reader.batches())


def check(path: Path) -> None:
    """The whole journal verifies."""
    with JournalReader(path) as reader:
        verify_journal(reader, GATEWAY_KEY.public_key, LEDGERS)


def test_sequences_count_from_one_and_counters_per_device(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event("a", 1), new_event("b", 2), new_event("a", 3)])
        journal.commit([SEAL, new_event("b", 4)])
    with open_journal(tmp_path) as journal:
        journal.commit([new_event("a", 5), new_event("c", 6)])
    found = [(event.sequence, event.device, event.device_counter) for event in events(journal.path)]
    assert found == [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, "b", 2), (5, "a", 3), (6, "c", 1)]
    assert {event.journal for event in events(journal.path)} == {journal.journal_id}
    check(journal.path)


def test_an_event_carries_what_was_read(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.commit([new_event("a", 7)]) == [Seen.NEW]
    (event,) = events(journal.path)
    assert event.stamp.utc_us == UTC_US + 7_000_000
    assert (event.stamp.clock, event.origin) == (STAMP.clock, 0)
    assert (event.type, event.data) == ("fare.tap", {"direction": "in", "token": "token-7"})


def test_a_batch_closes_on_count_also_in_the_middle_of_a_group(tmp_path: Path) -> None:
    with open_journal(tmp_path, count_max=3) as journal:
        journal.commit([new_event(number=number) for number in range(7)])
        assert journal.position == (8, 3)
        assert journal.open_count == 1
    assert [(batch.number, batch.first_sequence, batch.count) for batch in batches(journal.path)] == [
        (1, 1, 3),
        (2, 4, 3),
    ]
    check(journal.path)


def test_a_seal_closes_what_is_open_and_nothing_twice(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([SEAL])
        assert journal.position == (1, 1)
        journal.commit([new_event(), SEAL, SEAL])
        journal.commit([SEAL])
        assert journal.position == (2, 2)
    assert len(batches(journal.path)) == 1


def test_an_anchor_names_its_events_and_the_anchor_before(tmp_path: Path) -> None:
    gap = event_type("gateway.gap")
    with open_journal(tmp_path) as journal:
        journal.commit([new_event(number=5), new_event(number=2), new_event(number=9), SEAL])
        data = b"\xa5" + b"".join(  # the schema is not the writer's affair
            (b"\x65batch\xf6", b"\x66reason\x61x", b"\x67journal\xf6", b"\x68sequence\xf6", b"\x6dreadings_lost\xf6")
        )
        journal.commit([NewEvent("gw-1", gap, data, 3, STAMP, None), SEAL])
    with JournalReader(journal.path) as reader:
        tree = Frontier(leaf_hash(statement) for _, statement in reader.statements(1, 3))
    first, second = (parse_anchor(batch.anchor) for batch in batches(journal.path))
    assert first.envelope.payload == tree.root()
    assert (first.claims.previous, first.claims.gaps, first.claims.ledger_seen) == (None, 0, None)
    assert (first.claims.time_min_us, first.claims.time_max_us) == (UTC_US + 2_000_000, UTC_US + 9_000_000)
    assert second.claims.previous == anchor_hash(batches(journal.path)[0].anchor)
    assert (second.claims.first_sequence, second.claims.count, second.claims.gaps) == (4, 1, 1)


def test_an_open_batch_goes_on_after_a_restart(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event(number=1), new_event(number=2)])
    with open_journal(tmp_path) as journal:
        assert journal.open_count == 2
        journal.commit([new_event(number=3), SEAL])
    assert [batch.count for batch in batches(journal.path)] == [3]
    check(journal.path)


def test_an_answer_is_kept_once_and_a_receipt_stays(tmp_path: Path) -> None:
    ledger = Ledger()
    with open_journal(tmp_path, 1) as journal:
        journal.commit([new_event()])
        anchor = anchors(journal.path)[1]
        refusal, (receipt, head) = ledger.refuse(anchor), ledger.register(anchor)
        journal.commit([KeepAnswer(1, refusal, None)])
        assert batches(journal.path)[0].state == "refused"
        journal.commit([KeepAnswer(1, receipt, head)])
        kept = batches(journal.path)[0]
        assert (kept.state, kept.receipt, kept.refusal) == ("receipted", receipt, refusal)
        journal.commit(
            [KeepAnswer(1, *ledger.register(anchor)), KeepAnswer(1, refusal, None), KeepAnswer(9, b"", None)]
        )
        assert batches(journal.path) == [kept]
    check(journal.path)


def test_the_next_anchor_names_the_newest_head_that_a_receipt_proved(tmp_path: Path) -> None:
    ledger = Ledger()
    with open_journal(tmp_path, 1) as journal:
        journal.commit([new_event(number=1), new_event(number=2)])
        first, second = anchors(journal.path).values()
        (old, old_head), (new, new_head) = ledger.register(first), ledger.register(second)
        journal.commit([KeepAnswer(2, new, new_head)])
        journal.commit([KeepAnswer(1, old, old_head), new_event(number=3)])
        assert parse_anchor(anchors(journal.path)[3]).claims.ledger_seen == new_head


def test_the_same_id_is_recorded_once_within_a_group_and_across_a_restart(tmp_path: Path) -> None:
    tap, other = new_event(number=1, reading_id="x"), new_event(number=2, reading_id="x")
    with open_journal(tmp_path) as journal:
        assert journal.commit([tap, tap, other]) == [Seen.NEW, Seen.SAME, Seen.OTHER_CONTENT]
        assert journal.commit([SEAL, tap, new_event("gate-2", 1, "x")]) == [Seen.SAME, Seen.NEW]
    with open_journal(tmp_path) as journal:
        assert journal.commit([tap, other, new_event("gate-2", 1, "x")]) == [Seen.SAME, Seen.OTHER_CONTENT, Seen.SAME]
    assert len(events(journal.path)) == 2


def test_ten_thousand_ids_of_a_device_are_remembered_across_a_restart(tmp_path: Path) -> None:
    taps = [new_event(number=number, reading_id=str(number)) for number in range(10_001)]
    with open_journal(tmp_path, count_max=100) as journal:
        journal.commit(taps)
        assert journal.commit(taps[1:]) == [Seen.SAME] * 10_000
    with open_journal(tmp_path) as journal:
        assert journal.commit(taps[1:]) == [Seen.SAME] * 10_000
    with closing(sqlite3.connect(journal.path)) as connection:
        (stored,) = connection.execute("SELECT sum(length(entries)) / 32 FROM recall").fetchone()
    assert 10_000 <= stored < 10_200


@pytest.mark.parametrize("outcome", ["lost", "landed"])
def test_a_failed_commit_is_unknown_and_reading_the_file_again_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event(number=1)])
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
        with pytest.raises(UnknownOutcomeError, match="disk I/O error") as raised:
            journal.commit([new_event(number=2, reading_id="x"), SEAL])
        assert raised.value.seen == [Seen.NEW]
        journal.reopen()
        assert journal.position == ((3, 2) if outcome == "landed" else (2, 1))
        expected = Seen.SAME if outcome == "landed" else Seen.NEW
        assert journal.commit([new_event(number=2, reading_id="x")]) == [expected]
    assert len(events(journal.path)) == 2
    check(journal.path)


def test_a_group_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path, count_max=2) as journal:
        journal.commit([new_event(number=1)])
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk full'); END")
            with pytest.raises(UnknownOutcomeError, match="disk full"):
                journal.commit([new_event(number=number) for number in range(5)])
            journal.reopen()
            other.execute("DROP TRIGGER full")
        assert journal.position == (2, 1)
    check(journal.path)


def test_each_crash_point_is_named_and_nothing_leaves_before_commit(tmp_path: Path) -> None:
    steps: list[str] = []
    path = ensure_born(tmp_path, CITY, GATEWAY)

    def step(name: str) -> None:
        steps.append(name)
        if name == "journal.committed":
            assert len(events(path)) == 1
        elif name != "journal.begin":
            assert events(path) == []

    with closing(JournalWriter(path, SIGNER, 10, step)) as journal:
        journal.commit([new_event(), Seal()])
    assert steps == ["journal.begin", "journal.sealed", "journal.signed", "journal.inserted", "journal.committed"]


def test_a_reader_that_dawdles_does_not_hold_up_the_closing(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(sqlite3.connect(journal.path)) as reader:
        journal.commit([new_event(number=number) for number in range(3)])
        cursor = reader.execute("SELECT sequence FROM event")
        assert cursor.fetchone() == (1,)
        journal.commit([new_event(number=4)])
        begin = time.monotonic()
        journal.close()
        assert time.monotonic() - begin < 5
        assert cursor.fetchall() == [(2,), (3,)]


class RecallMachine(RuleBasedStateMachine):
    """The journal against a model of what its devices were told: each id's content, oldest first, at least the last."""

    minimum = 8
    devices = st.sampled_from(["a", "b"])
    ids = st.integers(0, 25).map(str)
    contents = st.sampled_from(["p", "q"])

    @initialize(count_max=st.integers(1, 6))
    def begin(self, count_max: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(recall_module, "RECALL_MIN", self.minimum)
        self.folder = TemporaryDirectory()
        self.path = ensure_born(Path(self.folder.name), CITY, GATEWAY)
        self.count_max = count_max
        self.recorded: list[tuple[str, str, str]] = []
        self.journal = JournalWriter(self.path, SIGNER, count_max)

    def recent(self, device: str) -> dict[str, str]:
        mine = [(one, content) for owner, one, content in self.recorded if owner == device]
        return dict(mine[-self.minimum :])

    @rule(said=st.lists(st.tuples(devices, ids, contents), min_size=1, max_size=8))
    def say(self, said: list[tuple[str, str, str]]) -> None:
        changes = [new_event(device, 0, one, {"direction": "in", "token": content}) for device, one, content in said]
        for (device, one, content), seen in zip(said, self.journal.commit(changes), strict=True):
            known = self.recent(device).get(one)
            if known is not None:
                assert seen is (Seen.SAME if known == content else Seen.OTHER_CONTENT)
            if seen is Seen.NEW:
                self.recorded.append((device, one, content))
            else:  # remembered longer than it must be, but never wrongly
                told = [content for owner, name, content in self.recorded if (owner, name) == (device, one)]
                assert (told[-1] == content) == (seen is Seen.SAME)

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

    @precondition(lambda self: self.recorded)
    @rule(device=devices)
    def refuse_other_content_without_remembering_it(self, device: str) -> None:
        for one, content in list(self.recent(device).items())[-1:]:
            other = new_event(device, 0, one, {"direction": "out", "token": content})
            assert self.journal.commit([other, other]) == [Seen.OTHER_CONTENT] * 2

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "journal"):
            for memory in self.journal._recalls.values():
                assert len(memory._contents) < self.minimum + 2 * self.count_max

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            recorded = [(event.device, event.data["token"]) for event in events(self.path)]
            assert recorded == [(device, content) for device, _, content in self.recorded]
            check(self.path)
            self.folder.cleanup()
            self.patch.undo()


TestRecall = RecallMachine.TestCase
TestRecall.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
