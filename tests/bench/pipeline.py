"""The hot path: reading → stamped, checked, queued → signed → committed (FULL) → Merkle → anchor."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import queue
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from broker.topics import ANCHOR, BatchAddress, batch_topic
from devices.driver import Origin, Reading
from edge.clock import Clock
from edge.journal.files import ensure_born
from edge.journal.writer import JournalWriter, NewEvent
from edge.recorder import Recorder, RecorderLimits
from edge.signer import FileSigner
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.keyfile import SecretKey
from tests.bench.ratio import paired_ratio

EVENTS = 20_000
BATCH = 10_000
SEED = bytes(range(32))
TAP = {"direction": "in", "token": "a1b2c3d4e5f6", "zone": "A"}
_numbers = itertools.count()


def _journal(directory: Path) -> JournalWriter:
    place = directory / str(next(_numbers))
    return JournalWriter(ensure_born(place, "demo", "gw-1"), FileSigner("demo", "gw-1", SecretKey(SEED)), BATCH)


def record_all(directory: Path, count: int = EVENTS) -> None:
    """Record `count` taps through the recorder as it runs in a gateway."""

    async def record() -> None:
        limits = RecorderLimits(512, 0.05, 60, 2 << 30)
        recorder = Recorder(_journal(directory), Clock(), limits)
        recorder.start()
        for _ in range(count):
            await recorder.record("validator-1", Reading("fare.tap", TAP, Origin.UNPROTECTED))
        await recorder.close()

    asyncio.run(record())


class UnsignedBuffer:
    """The peer: an event buffer in plain Python and SQLite, WAL with synchronous NORMAL, 1000 a commit, unsigned.

    Events are put one by one, stamped, and found by time; delivered in packs, and deleted one by one as each is
    acknowledged, like a broker's PUBACKs come.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE buffer (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, body TEXT NOT NULL)"
        )
        self._queue: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def put(self, event: dict[str, object]) -> None:
        self._queue.put((time.time_ns() // 1000, json.dumps(event)))

    def _write(self) -> None:
        rows: list[tuple[int, str]] = []
        while True:
            row = self._queue.get()
            if row is not None:
                rows.append(row)
            if len(rows) == 1000 or (row is None and rows):
                self._connection.execute("BEGIN")
                self._connection.executemany("INSERT INTO buffer (ts, body) VALUES (?, ?)", rows)
                self._connection.execute("COMMIT")
                rows = []
            if row is None:
                return

    def drain(self) -> int:
        """Read and delete everything, 1000 at a time, as a sender would."""
        self._queue.put(None)
        self._thread.join()
        count = 0
        while rows := self._connection.execute("SELECT id, body FROM buffer ORDER BY id LIMIT 1000").fetchall():
            events = [json.loads(body) for _, body in rows]
            count += len(events)
            self._connection.execute("BEGIN")
            self._connection.executemany("DELETE FROM buffer WHERE id = ?", [(number,) for number, _ in rows])
            self._connection.execute("COMMIT")
        self._connection.close()
        return count


def buffer_all(directory: Path) -> None:
    """The same taps through the peer: put, read, delete."""
    buffer = UnsignedBuffer(directory / f"{next(_numbers)}.sqlite")
    for number in range(EVENTS):
        buffer.put({"device": "validator-1", "type": "fare.tap", "ts": 1_700_000_000_000 + number, "data": TAP})
    assert buffer.drain() == EVENTS


def statement_bytes() -> int:
    """The size of one statement of the bench."""
    with tempfile.TemporaryDirectory() as directory:
        path = ensure_born(Path(directory), "demo", "gw-1")
        writer = JournalWriter(path, FileSigner("demo", "gw-1", SecretKey(SEED)), BATCH)
        writer.commit([_tap(Clock())] * 1000)
        writer.close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return int(connection.execute("SELECT length(statement) FROM event WHERE sequence = 1000").fetchone()[0])


def _tap(clock: Clock) -> NewEvent:
    row = event_type("fare.tap")
    return NewEvent("validator-1", row, encode_data(row, TAP), 0, clock.stamp(), None)


def pipeline() -> dict[str, float]:
    """The two ratios of the hot path."""
    _, secret = crypto_sign_seed_keypair(SEED)
    message = bytes(statement_bytes())

    def sign_all() -> None:
        for _ in range(EVENTS):
            crypto_sign(message, secret)

    with tempfile.TemporaryDirectory(dir="build") as name:
        directory = Path(name)
        return {
            "pipeline_vs_raw_sign": paired_ratio(lambda: record_all(directory), sign_all),
            "pipeline_vs_unsigned_peer": paired_ratio(lambda: record_all(directory), lambda: buffer_all(directory)),
        }


def disk_bytes() -> dict[str, float]:
    """Bytes handed to the file system over statement bytes, checkpoints of the write-ahead log included."""
    return {
        "disk_bytes_per_event": _disk_bytes(events_a_commit=5),  # 100/s at the default commit age of 50 ms
        "disk_bytes_per_event_50_a_commit": _disk_bytes(events_a_commit=50),
    }


def _disk_bytes(events_a_commit: int, count: int = 20_000) -> float:
    clock = Clock()
    with tempfile.TemporaryDirectory(dir="build") as name:
        writer = _journal(Path(name))
        before = _written()
        for _ in range(count // events_a_commit):
            writer.commit([_tap(clock) for _ in range(events_a_commit)])
        writer.close()
        written = _written() - before
    return written / (count * statement_bytes())


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


def anchor_bytes() -> dict[str, float]:
    """Bytes of an anchor's PUBLISH (topic, properties, payload) over the events of a full batch."""
    with tempfile.TemporaryDirectory(dir="build") as name:
        writer = _journal(Path(name))
        writer.commit([_tap(Clock())] * BATCH)
        with contextlib.closing(sqlite3.connect(writer.path)) as connection:
            anchor = connection.execute("SELECT anchor FROM batch").fetchone()[0]
        topic = batch_topic(ANCHOR, "demo", BatchAddress("gw-1", writer.journal_id, 1))
        writer.close()
    mqtt_overhead = 2 + 3 + 2 + 3 + len(ANCHOR.content_type)  # fixed header, lengths, packet id, properties
    return {"anchor_bytes_per_event": (len(anchor) + len(topic) + mqtt_overhead) / BATCH}
