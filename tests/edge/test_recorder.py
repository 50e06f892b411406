from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Origin, Reading, Recorded, Refused
from edge import recorder as recorder_module
from edge.journal.errors import JournalCorruptError
from edge.journal.files import current_journal
from tests.edge.journals import Ledger, alter, anchors, fail_once
from tests.edge.recording import AT_ONCE, Gate, Outcomes, batch_counts, recorded, recording, tap
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from edge.recorder import Recorder


OWN = "gateway.*, device.health and device.passport are the gateway's own word; a device tells none"


class Steps(list[str]):
    """The journal's steps, as they were taken."""

    def __call__(self, name: str) -> None:
        self.append(name)

    @property
    def commits(self) -> int:
        return self.count("journal.committed")


async def test_a_reading_is_answered_once_it_is_durable(tmp_path: Path) -> None:
    outcomes, gate = Outcomes(), Gate("journal.inserted")
    async with recording(tmp_path, step=gate) as recorder:
        assert await recorder.record("gate-1", tap("1"), outcomes) is None
        await gate.wait()
        await asyncio.sleep(0.05)  # the commit hangs: whatever could come too early has time to come
        assert (outcomes.taken, recorded(tmp_path), recorder.recorded_count) == ([], [], 0)
        gate.open()
        assert await outcomes.wait(1) == [Recorded()]
        (event,) = recorded(tmp_path)
        assert (event.device, event.type, event.data["token"]) == ("gate-1", "fare.tap", "a")
        assert recorder.recorded_count == 1


async def test_what_comes_within_the_commit_age_is_one_commit(tmp_path: Path) -> None:
    steps, outcomes = Steps(), Outcomes()
    async with recording(tmp_path, replace(AT_ONCE, commit_age_max_s=0.2), step=steps) as recorder:
        begin = time.monotonic()
        for number in range(5):
            await recorder.record("gate-1", tap(str(number)), outcomes)
        await outcomes.wait(5)
        assert time.monotonic() - begin >= 0.19
        assert steps.commits == 1


async def test_a_full_group_is_committed_at_once(tmp_path: Path) -> None:
    steps, outcomes = Steps(), Outcomes()
    limits = replace(AT_ONCE, commit_count_max=3, commit_age_max_s=15)
    async with recording(tmp_path, limits, step=steps) as recorder:
        for number in range(6):
            await recorder.record("gate-1", tap(str(number)), outcomes)
        await outcomes.wait(6)
        assert steps.commits == 2


async def test_the_order_of_one_source_is_the_order_of_sequences(tmp_path: Path) -> None:
    async with recording(tmp_path, replace(AT_ONCE, commit_count_max=7)) as recorder:
        for number in range(100):
            await recorder.record("gate-1", tap(token=f"{number:x}"))
    assert [int(event.data["token"], 16) for event in recorded(tmp_path)] == list(range(100))


async def test_a_full_queue_makes_its_source_wait(tmp_path: Path) -> None:
    gate = Gate("journal.begin")
    limits = replace(AT_ONCE, commit_count_max=2)
    async with recording(tmp_path, limits, step=gate) as recorder:
        taken = 0

        async def pour() -> None:
            nonlocal taken
            for number in range(50):
                await recorder.record("gate-1", tap(token=f"{number:x}"))
                taken += 1

        pouring = asyncio.create_task(pour())
        await gate.wait()
        await asyncio.sleep(0.05)
        assert recorder_module.QUEUE_GROUPS * 2 <= taken <= (recorder_module.QUEUE_GROUPS + 1) * 2
        gate.open()
        await pouring
    assert len(recorded(tmp_path)) == 50


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (tap(kind="gateway.start"), OWN),
        (tap(kind="gateway.no-such"), OWN),
        (tap(kind="device.health"), OWN),
        (tap(kind="device.passport"), OWN),
        (tap(kind="no.such"), "no.such is no event type; known are"),
        (Reading("fare.tap", {"direction": "up"}, Origin.UNPROTECTED), "direction: must be one of: in, out"),
        (Reading("fare.tap", {"token": "a"}, Origin.UNPROTECTED), "direction: is required"),
        (tap(token="4111 1111 1111 1111"), "token: looks like a card number"),
        (tap(token="\ud800"), "lone surrogate"),
        (tap()._replace(evidence=(bytes(31),)), "evidence: must be digests of 32 bytes"),
        (tap()._replace(evidence=("0" * 64,)), "evidence: must be digests of 32 bytes"),  # type: ignore[arg-type]
        (tap(token="a" * 64)._replace(evidence=(bytes(32),) * 7), "at most 300 together"),
        (tap()._replace(origin=4), "origin: must be one of devices.driver.Origin"),  # type: ignore[arg-type]
    ],
)
async def test_what_can_never_be_recorded_is_refused_at_once(tmp_path: Path, reading: Reading, why: str) -> None:
    outcomes = Outcomes()
    async with recording(tmp_path) as recorder:
        refused = await recorder.record("gate-1", reading, outcomes)
        assert refused is not None
        assert why in refused.why
    assert (outcomes.taken, recorded(tmp_path)) == ([], [])


async def test_the_same_id_is_answered_again_and_recorded_once(tmp_path: Path) -> None:
    for _ in range(2):
        async with recording(tmp_path) as recorder:
            outcomes = Outcomes()
            for reading in (tap("1"), tap("1"), tap("1", "other"), tap("1", kind="no.such")):
                refused = await recorder.record("gate-1", reading, outcomes)
                assert (refused is None) == (reading.type == "fare.tap")
            first, second, third = await outcomes.wait(3)
            assert (first, second) == (Recorded(), Recorded())
            assert isinstance(third, Refused)
            assert "give a new reading a new id" in third.why
            assert recorder.recorded_count <= 1
    assert len(recorded(tmp_path)) == 1


async def test_a_batch_is_sealed_when_its_first_event_is_old_enough(tmp_path: Path) -> None:
    async with recording(tmp_path, replace(AT_ONCE, batch_age_max_s=0.2)) as recorder:
        begin = time.monotonic()
        await recorder.record("gate-1", tap())
        await recorder.sealed.wait()
        assert 0.19 <= time.monotonic() - begin < 5
        assert batch_counts(tmp_path) == [1]
    assert batch_counts(tmp_path) == [1], "nothing is sealed twice"


async def test_a_batch_is_sealed_on_count(tmp_path: Path) -> None:
    async with recording(tmp_path, count_max=3) as recorder:
        for _ in range(7):
            await recorder.record("gate-1", tap())
        await recorder.sealed.wait()
    assert batch_counts(tmp_path) == [3, 3, 1]


async def test_closing_commits_what_is_queued_and_seals_it(tmp_path: Path) -> None:
    async with recording(tmp_path, replace(AT_ONCE, commit_age_max_s=15)) as recorder:
        for _ in range(5):
            await recorder.record("gate-1", tap())
    assert (len(recorded(tmp_path)), batch_counts(tmp_path)) == (5, [5])


async def test_an_event_of_the_gateway_itself_is_durable_on_return(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        (event,) = recorded(tmp_path)
        assert (event.device, event.type, event.origin) == ("gw-1", "gateway.heartbeat", 3)


async def test_evidence_is_recorded_and_is_content_too(tmp_path: Path) -> None:
    outcomes, digest = Outcomes(), b"\x01" * 32
    async with recording(tmp_path) as recorder:
        for evidence in ((digest,), (digest,), ()):
            await recorder.record("gate-1", tap("1")._replace(evidence=evidence), outcomes)
        first, second, third = await outcomes.wait(3)
    assert (first, second) == (Recorded(), Recorded())
    assert isinstance(third, Refused)
    (event,) = recorded(tmp_path)
    assert event.evidence == (digest,)


async def test_a_passport_is_recorded_before_what_follows_and_once_a_journal(tmp_path: Path) -> None:
    place = {"place": "Harbour Road 12"}
    for _ in range(2):
        async with recording(tmp_path) as recorder:
            await recorder.record_about("gate-1", "device.passport", place)
            await recorder.record_about("gate-2", "device.passport", {})
            await recorder.record("gate-1", tap())
            await recorder.record("gate-2", tap())
    known = [(event.device, event.type, event.passport) for event in recorded(tmp_path)]
    taps = [("gate-1", "fare.tap", 1), ("gate-2", "fare.tap", None)]
    assert known == [("gate-1", "device.passport", None), *taps, *taps]
    assert recorded(tmp_path)[0].origin == 0
    assert recorded(tmp_path)[0].data == place


async def test_an_answer_of_the_ledger_is_durable_on_return(tmp_path: Path) -> None:
    async with recording(tmp_path, count_max=1) as recorder:
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        path = current_journal(tmp_path)
        receipt, head = Ledger().register(anchors(path)[1])
        await recorder.keep_answer(1, receipt, head)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT receipt FROM batch").fetchall() == [(receipt,)]


async def fill(recorder: Recorder) -> asyncio.Task[None]:
    """A device that pours readings in, once it has to wait."""

    async def pour() -> None:
        while True:
            await recorder.record("gate-1", tap(token="a" * 64))

    pouring = asyncio.create_task(pour())
    await until(lambda: recorder.is_full)
    return pouring


async def test_a_full_journal_makes_devices_wait_and_loses_nothing(tmp_path: Path) -> None:
    limits = replace(AT_ONCE, commit_count_max=10, size_max_bytes=1 << 19)
    outcomes = Outcomes()
    async with recording(tmp_path, limits, count_max=100) as recorder:
        pouring = await fill(recorder)
        assert recorder.size_bytes < limits.size_max_bytes
        waiting = asyncio.create_task(recorder.record("gate-2", tap(), outcomes))
        await asyncio.sleep(0.1)
        # What is kept free is for the gateway's own events, and a receipt needs no room.
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        await recorder.keep_answer(1, *Ledger().register(anchors(current_journal(tmp_path))[1]))
        assert not pouring.done()
        assert not waiting.done()
        before = recorder.recorded_count
        await asyncio.sleep(0.05)
        assert (recorder.recorded_count, outcomes.taken) == (before, [])
        await cancel(pouring, waiting)
    assert {event.device for event in recorded(tmp_path)} == {"gate-1", "gw-1"}


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_kept_free_has_an_end_too(tmp_path: Path) -> None:
    async with recording(tmp_path, replace(AT_ONCE, size_max_bytes=1 << 17)) as recorder:
        pouring = await fill(recorder)

        async def beat() -> None:
            while True:
                await recorder.record_own("gw-1", "gateway.heartbeat", {})

        beating = asyncio.create_task(beat())
        await until(lambda: recorder.size_bytes >= 1 << 17 and not recorder._queue)
        await asyncio.sleep(0.05)  # what was on its way has come
        before = recorder.recorded_count
        await asyncio.sleep(0.05)
        assert recorder.recorded_count == before
        await cancel(pouring, beating)


async def test_a_disk_that_cannot_be_written_is_tried_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = Outcomes()
    async with recording(tmp_path) as recorder:
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        with closing(sqlite3.connect(current_journal(tmp_path), isolation_level=None)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
            await recorder.record("gate-1", tap("1"), outcomes)
            await until(lambda: recorder.write_problem)
            assert "disk is full" in recorder.write_problem
            assert outcomes.taken == []
            monkeypatch.setattr(recorder_module, "RETRY_MAX_S", 0.01)
            await until(lambda: _dropped(other))
        assert await outcomes.wait(1) == [Recorded()]
        assert recorder.write_problem == ""
    assert len(recorded(tmp_path)) == 2


def _dropped(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("DROP TRIGGER full")
    except sqlite3.OperationalError:  # the failed transaction holds the lock until the file is opened again
        return False
    return True


@pytest.mark.parametrize(("stage", "outcome"), [("BEGIN IMMEDIATE", "lost"), ("COMMIT", "lost"), ("COMMIT", "landed")])
async def test_a_commit_of_unknown_outcome_records_and_answers_exactly_once(
    tmp_path: Path, stage: str, outcome: str
) -> None:
    outcomes = Outcomes()
    async with recording(tmp_path, replace(AT_ONCE, commit_age_max_s=0.05), count_max=2) as recorder:
        await recorder.record("gate-1", tap("0"), outcomes)
        await outcomes.wait(1)
        failed = fail_once(recorder._journal, stage, has_landed=outcome == "landed")
        for reading in (tap("1"), tap("0"), tap("0", "other"), tap("2"), tap(token="without an id")):
            await recorder.record("gate-1", reading, outcomes)
        await recorder.keep_answer(1, b"", None)
        taken = await outcomes.wait(6)
        assert failed == [stage]
        assert [type(one) for one in taken] == [Recorded, Recorded, Recorded, Refused, Recorded, Recorded]
    assert len(recorded(tmp_path)) == 4


async def test_a_journal_that_turns_out_to_be_corrupt_ends_the_recorder(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        alter(current_journal(tmp_path), "ALTER TABLE event RENAME TO events")
        await recorder.record("gate-1", tap())
        with pytest.raises(JournalCorruptError):
            await recorder.failure


async def test_stopping_while_the_disk_cannot_be_written_does_not_hang(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        alter(
            current_journal(tmp_path),
            "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
        )
        await recorder.record("gate-1", tap())
        await until(lambda: recorder.write_problem)
        await recorder.close()
        with pytest.raises(Exception, match=r"stopped while the journal could not be written: .*disk is full"):
            await recorder.failure
