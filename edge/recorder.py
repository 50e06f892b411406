"""The recorder: readings in, committed events out, in groups, with an answer only after the commit.

The event loop's side takes readings, stamps them and puts them in a bounded queue; one writer thread owns the journal,
gathers what has come within `commit_age_max_ms` (or `commit_count_max` of it) into one transaction, and reports back.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.driver import CommittedEvent, Origin, Reading, Recorded, Refused
from edge.journal.errors import JournalError, UnknownOutcomeError
from edge.journal.recall import Seen, recall_entry
from edge.journal.writer import KeepAnswer, NewEvent, Seal
from ledger_sync.proof import cbor
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event import ORIGINS, encode_data, encode_evidence
from ledger_sync.proof.event_types import GATEWAY_PREFIX, HEALTH, PASSPORT, event_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.clock import Clock
    from edge.journal.writer import Change, JournalWriter
    from ledger_sync.proof.anchor import LedgerHead
    from ledger_sync.proof.event_types import EventType

log = logging.getLogger("wayside.recorder")

Outcome = Recorded | Refused
OnOutcome = Callable[[Outcome], None]
OnCommitted = Callable[[CommittedEvent], None]

QUEUE_GROUPS = 4
RETRY_MAX_S = 10.0
FULL_MARGIN_BYTES = 8 << 20
_RECORDED = Recorded()
_OTHER_CONTENT = Refused("this id was recorded with another type or other data; give a new reading a new id")
_OF_GATEWAY = Refused("gateway.*, device.health and device.passport are the gateway's own word; a device tells none")


class _Queued(NamedTuple):
    change: Change
    on_outcome: OnOutcome | None
    since: float


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """When a group is committed, when a batch is sealed, and when the journal is full."""

    commit_count_max: int
    commit_age_max_s: float
    batch_age_max_s: float
    size_max_bytes: int


class Recorder:
    """Takes readings on the event loop; everything else of it happens in its writer thread.

    `failure` is done when the writer thread has ended with an exception: the journal is corrupt then, or a defect
    showed. `sealed` is set whenever a batch was sealed.
    """

    def __init__(self, journal: JournalWriter, clock: Clock, limits: RecorderLimits) -> None:
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._queue_max = QUEUE_GROUPS * limits.commit_count_max
        self._queue: deque[_Queued] = deque()
        self._followers: dict[str, list[OnCommitted]] = {}
        self._wake = threading.Condition()
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self.sealed = asyncio.Event()
        self.failure: asyncio.Future[None] = self._loop.create_future()
        self.is_full = False
        self.write_problem = ""
        self.recorded_count = 0
        self.size_bytes = journal.size_bytes()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def follow(self, device: str, on_committed: OnCommitted) -> None:
        """Have `on_committed` called on the event loop with each event of a device once it is durable, in their order.

        To be called before `start`. The gateway's id stands for its own events.
        """
        self._followers.setdefault(device, []).append(on_committed)

    def start(self) -> None:
        """Start the writer thread."""
        self._thread.start()

    async def record(self, device: str, reading: Reading, on_outcome: OnOutcome | None = None) -> Refused | None:
        """Take a reading of a device; waits while the queue or the journal is full.

        Returns Refused at once for what can never be recorded. Otherwise `on_outcome` is called on the event loop
        once the reading is durable, or refused because its id was used with other content.
        """
        if _is_gateways_own(reading.type):
            return _OF_GATEWAY
        try:
            change = self._new_event(device, reading)
        except SchemaError as error:
            return Refused(str(error))
        if not self._room.is_set():
            await self._wait_for_room(change)
        self._put(change, on_outcome)
        return None

    async def record_own(self, gateway: str, event: str, data: Mapping[str, Any]) -> None:
        """Record an event of the gateway itself; returns once it is durable."""
        change = self._new_event(gateway, Reading(event, data, Origin.SIGNED_BY_DEVICE))
        await self._wait_for_room(change)
        done = self._loop.create_future()
        self._put(change, _resolver(done))
        await done

    async def record_about(self, device: str, event: str, data: Mapping[str, Any]) -> None:
        """Record the gateway's word of a device: its health, or its passport if the newest one says another thing.

        Returns once it is queued: whatever is recorded of the device from then on refers to its passport. The origin
        is 0, as nothing but the gateway's own signature vouches for it. Raises SchemaError.
        """
        change = self._new_event(device, Reading(event, data, Origin.UNPROTECTED))
        await self._wait_for_room(change)
        self._put(change, None)

    async def keep_answer(self, batch: int, answer: bytes, head: LedgerHead | None) -> None:
        """Keep the ledger's answer about a batch; returns once it is durable."""
        done = self._loop.create_future()
        self._put(KeepAnswer(batch, answer, head), _resolver(done))
        await done

    def _new_event(self, device: str, reading: Reading) -> NewEvent:
        stamp = self._clock.stamp()
        row, data, evidence = _encode(reading)
        recall = None if reading.id is None else recall_entry(reading.id, reading.type, data + evidence)
        return NewEvent(device, row, data, int(reading.origin), stamp, recall, evidence)

    async def _wait_for_room(self, change: NewEvent) -> None:
        """Wait while the queue or the journal is full.

        The gateway's own events need not: they are few, and what is kept free of a full journal is kept for them. Nor
        do the ledger's answers, which need no new room and free batches.
        """
        own = change.row.name.startswith(GATEWAY_PREFIX)
        while not self._room.is_set() and not (own and self.size_bytes < self._limits.size_max_bytes):
            await self._room.wait()

    def _put(self, change: Change, on_outcome: OnOutcome | None) -> None:
        # The writer may be waiting only if the queue was empty or the group is complete now: else no lock is needed.
        self._queue.append(_Queued(change, on_outcome, time.monotonic()))
        count = len(self._queue)
        if count in (1, self._limits.commit_count_max):
            with self._wake:
                self._wake.notify()
        if count >= self._queue_max:
            self._room.clear()

    async def close(self) -> None:
        """Commit what is queued, seal the open batch, end the thread. Nothing may be recorded after this."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            await self._ended.wait()
        self._journal.close()

    # The writer thread from here on.

    def _run(self) -> None:
        try:
            self._write_until_stopped()
        except Exception as error:  # noqa: BLE001 - carried to the event loop, where it ends the gateway
            self._call(self._fail, error)
        self._call(self._ended.set)

    def _write_until_stopped(self) -> None:
        batch_since = time.monotonic()
        while True:
            group, stopping = self._gather(batch_since)
            if self._journal.open_count == 0:
                batch_since = time.monotonic()
            is_last = stopping and not self._queue
            if is_last or time.monotonic() - batch_since >= self._limits.batch_age_max_s:
                group.append(_Queued(Seal(), None, 0))
            batch_before = self._journal.position[1]
            if group:
                self._commit(group)
            if self._journal.position[1] != batch_before:
                batch_since = time.monotonic()
                self._call(self.sealed.set)
            if is_last:
                return

    def _gather(self, batch_since: float) -> tuple[list[_Queued], bool]:
        """Wait for a group: until it is large or old enough, the open batch is old enough, or the end has come."""
        limits = self._limits
        with self._wake:
            batch_left = None
            if self._journal.open_count:
                batch_left = max(0.0, batch_since + limits.batch_age_max_s - time.monotonic())
            self._wake.wait_for(lambda: self._queue or self._stopping, batch_left)
            while self._queue and len(self._queue) < limits.commit_count_max and not self._stopping:
                left = self._queue[0].since + limits.commit_age_max_s - time.monotonic()
                if left <= 0 or not self._wake.wait(left):
                    break
            count = min(len(self._queue), limits.commit_count_max)
            return [self._queue.popleft() for _ in range(count)], self._stopping

    def _commit(self, group: list[_Queued]) -> None:
        seen = self._commit_until_known([queued.change for queued in group])
        of_events = iter(seen)
        answers: list[tuple[OnOutcome, Outcome]] = []
        recorded = 0
        for change, on_outcome, _ in group:
            outcome: Outcome = _RECORDED
            if isinstance(change, NewEvent):
                known = next(of_events)
                recorded += known is Seen.NEW
                outcome = _OTHER_CONTENT if known is Seen.OTHER_CONTENT else _RECORDED
            if on_outcome is not None:
                answers.append((on_outcome, outcome))
        self._call(self._settle, answers, recorded, self._journal.size_bytes())
        if self._followers:
            self._call_followers(group, seen, self._journal.next_sequence - recorded)

    def _call_followers(self, group: list[_Queued], seen: list[Seen], sequence: int) -> None:
        """Tell followers what was new in a group that is durable; `sequence` is the first that it was given."""
        events = (queued.change for queued in group if isinstance(queued.change, NewEvent))
        for change in (event for event, known in zip(events, seen, strict=True) if known is Seen.NEW):
            for on_committed in self._followers.get(change.device, ()):
                self._call(on_committed, _committed(change, self._journal.journal_id, sequence))
            sequence += 1

    def _commit_until_known(self, changes: list[Change]) -> list[Seen]:
        """Commit, however often the disk fails. What a failed commit did is decided by reading the file again."""
        seen: list[Seen] = []
        delay_s = 0.1
        while True:
            before = self._journal.position
            try:
                seen += self._journal.commit(changes)
            except UnknownOutcomeError as error:
                self._tell_write_problem(str(error))
                delay_s = self._reopen(delay_s)
                if self._journal.position != before:
                    # The events are there after all; to keep an answer twice does no harm.
                    seen = error.seen
                    changes = [change for change in changes if isinstance(change, KeepAnswer)]
                continue
            self._tell_write_problem("")
            return seen

    def _reopen(self, delay_s: float) -> float:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping, random.uniform(0, delay_s))  # noqa: S311 - jitter
            if self._stopping:
                raise JournalError(f"stopped while the journal could not be written: {self.write_problem}")
            delay_s = min(2 * delay_s, RETRY_MAX_S)
            try:
                self._journal.reopen()
            except (sqlite3.Error, OSError) as error:
                self._tell_write_problem(str(error))
                continue
            return delay_s

    def _tell_write_problem(self, problem: str) -> None:
        if problem and not self.write_problem:
            log.error("journal cannot be written; devices wait", extra={"problem": problem})
        if self.write_problem and not problem:
            log.warning("journal is written again")
        self.write_problem = problem

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    # On the event loop again.

    def _settle(self, answers: list[tuple[OnOutcome, Outcome]], recorded: int, size_bytes: int) -> None:
        self.recorded_count += recorded
        self._tell_size(size_bytes)
        if not self.is_full and len(self._queue) < self._queue_max:
            self._room.set()
        for on_outcome, outcome in answers:
            on_outcome(outcome)

    def _tell_size(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        limit = self._limits.size_max_bytes
        is_full = size_bytes >= limit - min(FULL_MARGIN_BYTES, limit // 4)
        if is_full and not self.is_full:
            self._room.clear()
            log.error("journal is full; devices wait", extra={"bytes": size_bytes, "mend": "raise journal.size_max_mb"})
        self.is_full = is_full

    def _fail(self, error: Exception) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)


def refusal(reading: Reading) -> Refused | None:
    """Why a device's reading can never be recorded; None if it can, unless its id is used with other content."""
    if _is_gateways_own(reading.type):
        return _OF_GATEWAY
    try:
        _encode(reading)
    except SchemaError as error:
        return Refused(str(error))
    return None


def _is_gateways_own(kind: str) -> bool:
    return kind.startswith(GATEWAY_PREFIX) or kind in (HEALTH, PASSPORT)


def _encode(reading: Reading) -> tuple[EventType, bytes, bytes]:
    """The type of a reading, its data and its evidence as they are signed. Raises SchemaError."""
    row = event_type(reading.type)
    data = encode_data(row, reading.data)
    evidence = encode_evidence(row, data, reading.evidence) if reading.evidence else b""
    if reading.origin not in ORIGINS:
        raise SchemaError("must be one of devices.driver.Origin", "origin")
    return row, data, evidence


def _committed(change: NewEvent, journal: bytes, sequence: int) -> CommittedEvent:
    stamp, data = change.stamp, cbor.decode(change.data)
    return CommittedEvent(change.device, change.row.name, data, journal, sequence, stamp.utc_us, stamp.clock.error_us)


def _resolver(done: asyncio.Future[None]) -> OnOutcome:
    def resolve(_: Outcome) -> None:
        if not done.done():
            done.set_result(None)

    return resolve
