"""A disk that refuses: nothing is acknowledged that is not on it, and nothing is lost or doubled when it gives way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Origin, Reading, Recorded
from edge.clock import Clock
from edge.journal.files import ensure_born
from edge.journal.writer import JournalWriter
from edge.recorder import Recorder, RecorderLimits
from edge.signer import FileSigner
from ledger_sync.proof.anchor import LedgerHead
from ledger_sync.proof.keyfile import SecretKey
from tests.support.brokers import start_mosquitto
from tests.support.city_files import CITY, GATEWAY, QUICK, make_city
from tests.support.counting_validator import WINDOW, CountingValidator
from tests.support.invariants import check_city, check_validator, tokens_in
from tests.support.processes import start_module
from tests.support.running_city import onlooker, running_gateway, running_ledger
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.recorder import Outcome
    from tests.support.city_files import CityFiles

LIMITS = RecorderLimits(commit_count_max=512, commit_age_max_s=0.02, batch_age_max_s=60, size_max_bytes=1 << 30)

OWN_EVENTS = 2
"""gateway.start, and the device.health that tells that the validator is there."""


class FailingConnection:
    """A connection whose `statement` fails once: before it takes effect, or after (only the answer is lost)."""

    def __init__(self, real: sqlite3.Connection, statement: str, *, takes_effect: bool) -> None:
        self._real = real
        self._statement: str | None = statement
        self._takes_effect = takes_effect

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return self._call(self._real.execute, statement, *parameters)

    def executemany(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return self._call(self._real.executemany, statement, *parameters)

    def _call(self, call: Any, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if self._statement is None or not statement.startswith(self._statement):
            cursor: sqlite3.Cursor = call(statement, *parameters)
            return cursor
        self._statement = None
        if self._takes_effect:
            call(statement, *parameters)
        raise sqlite3.OperationalError("disk I/O error")

    def close(self) -> None:
        self._real.close()


@contextlib.asynccontextmanager
async def _recording(path: Path, limits: RecorderLimits = LIMITS) -> AsyncIterator[tuple[Recorder, JournalWriter]]:
    journal = JournalWriter(path, FileSigner(CITY, GATEWAY, SecretKey(bytes(32))), 4)
    recorder = Recorder(journal, Clock(), limits)
    recorder.start()
    try:
        yield recorder, journal
    finally:
        async with asyncio.timeout(5):
            await recorder.close()


def _tap(token: str, direction: str = "in") -> Reading:
    return Reading("fare.tap", {"direction": direction, "token": token}, Origin.UNPROTECTED, token)


async def _all_answers(recorder: Recorder, readings: list[Reading]) -> list[Outcome]:
    """The outcome of each reading, in the order in which they came."""
    answers: list[Outcome] = []
    for reading in readings:
        assert await recorder.record("validator-1", reading, answers.append) is None
    await until(lambda: len(answers) >= len(readings) or recorder.failure.done(), "all were answered", 10)
    assert not recorder.failure.done(), recorder.failure.exception()
    return answers


@pytest.mark.parametrize(
    ("statement", "takes_effect"),
    [
        ("BEGIN", False),
        ("INSERT INTO batch", False),
        ("INSERT INTO event", False),
        ("INSERT INTO event", True),
        ("COMMIT", False),
        ("COMMIT", True),
    ],
)
async def test_a_commit_that_fails_records_every_reading_once_whether_it_took_effect_or_not(
    tmp_path: Path, statement: str, *, takes_effect: bool
) -> None:
    path = ensure_born(tmp_path, CITY, GATEWAY)
    readings = [_tap(token) for token in ("a", "b", "a", "c", "d", "e")]
    async with _recording(path) as (recorder, journal):
        assert await _all_answers(recorder, [_tap("before")]) == [Recorded()]
        journal._connection = FailingConnection(journal._connection, statement, takes_effect=takes_effect)  # type: ignore[assignment]
        assert await _all_answers(recorder, readings) == [Recorded()] * len(readings)
        assert recorder.write_problem == ""
    assert list(tokens_in(path)["validator-1"].items()) == [
        ("before", 1),
        ("a", 2),
        ("b", 3),
        ("c", 4),
        ("d", 5),
        ("e", 6),
    ]


async def test_a_commit_that_fails_twice_keeps_what_the_first_attempt_did(tmp_path: Path) -> None:
    path = ensure_born(tmp_path, CITY, GATEWAY)
    async with _recording(path) as (recorder, journal):
        await _all_answers(recorder, [_tap(token) for token in ("a", "b", "c", "d")])
        reopen = journal.reopen
        journal._connection = FailingConnection(journal._connection, "COMMIT", takes_effect=True)  # type: ignore[assignment]

        def reopen_and_fail_again() -> None:
            reopen()
            journal._connection = FailingConnection(journal._connection, "BEGIN", takes_effect=False)  # type: ignore[assignment]
            journal.reopen = reopen  # type: ignore[method-assign]

        journal.reopen = reopen_and_fail_again  # type: ignore[method-assign]
        # One group: a reading whose commit takes effect, and an answer that is therefore kept a second time.
        kept = asyncio.create_task(recorder.keep_answer(1, b"refusal", None))
        answers = await _all_answers(recorder, [_tap("e")])
        async with asyncio.timeout(5):
            await kept
    assert answers == [Recorded()]
    assert list(tokens_in(path)["validator-1"]) == ["a", "b", "c", "d", "e"]


async def test_a_journal_near_its_size_makes_devices_wait_and_still_keeps_what_the_ledger_answers(
    tmp_path: Path,
) -> None:
    path = ensure_born(tmp_path, CITY, GATEWAY)
    with contextlib.closing(JournalWriter(path, FileSigner(CITY, GATEWAY, SecretKey(bytes(32))), 4)) as journal:
        size_max = journal.size_bytes() + (256 << 10)
    limits = RecorderLimits(LIMITS.commit_count_max, LIMITS.commit_age_max_s, 60, size_max)
    async with _recording(path, limits) as (recorder, _):
        number = 0
        while not recorder.is_full:
            await _all_answers(recorder, [_tap(f"tap-{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}-{number}")])
            number += 1
        assert recorder.size_bytes < size_max
        waiting = asyncio.create_task(recorder.record("validator-1", _tap("one-more")))
        async with asyncio.timeout(5):
            await recorder.keep_answer(1, b"receipt", LedgerHead(1, bytes(32), 1))
        assert not waiting.done()
        waiting.cancel()
    assert "one-more" not in tokens_in(path)["validator-1"]


class FileLimit:
    """Every file is too large for any write of the process; its errors are EFBIG. Needs no rights."""

    def __init__(self, files: CityFiles) -> None:
        self.data_dir = files.directory / "var"
        self.before: list[str] = []

    def refuse(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def give_way(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class FullDisk:
    """The data directory is a file system of 16 MiB in a mount namespace of the process's own; a file fills it."""

    _MOUNT = 'mount -t tmpfs -o size=16m wayside "$1" && cp -a "$2"/. "$1" && shift 2 && exec "$@"'

    def __init__(self, files: CityFiles) -> None:
        self.data_dir = files.directory / "var"
        seed = shutil.copytree(self.data_dir, files.directory / "seed")
        own_namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        self.before = [*own_namespace, "sh", "-c", self._MOUNT, "sh", str(self.data_dir), str(seed)]
        try:
            probe = subprocess.run([*self.before, "true"], capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("unshare is not installed (apt install util-linux)")
        if probe.returncode:
            pytest.skip(f"nothing may be mounted here: {probe.stderr.decode().strip()}")

    def _inside(self, pid: int) -> Path:
        return Path(f"/proc/{pid}/root{self.data_dir}")

    def refuse(self, pid: int) -> None:
        with contextlib.suppress(OSError), (self._inside(pid) / "ballast").open("ab", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))

    def give_way(self, pid: int) -> None:
        (self._inside(pid) / "ballast").unlink()

    def copy_out(self, pid: int) -> None:
        """The file system ends with the process."""
        shutil.copytree(self._inside(pid), self.data_dir, dirs_exist_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("refusing_disk", [FileLimit, FullDisk])
async def test_while_nothing_can_be_written_nothing_is_acknowledged_and_afterwards_everything_once(
    tmp_path: Path, refusing_disk: type[FileLimit | FullDisk]
) -> None:
    with start_mosquitto(tmp_path) as broker, CountingValidator(tmp_path / "validator-1") as validator:
        files = make_city(tmp_path, broker.port)
        disk = refusing_disk(files)
        async with running_ledger(files), onlooker(broker.url) as seen:
            gateway = await start_module(
                "tests.faults.gateway_process", files.gateway_config, name="gateway", before=disk.before
            )
            try:
                await until(lambda: len(validator.acknowledged) > 50, "some taps were acknowledged")
                # Again and again, as the journal gives back room when it is read anew.
                await until(
                    lambda: disk.refuse(gateway.pid) or _is_stuck(seen.health, validator), "devices waited for the disk"
                )
                acknowledged = len(validator.acknowledged)
                assert "disk" in seen.health["journal"]["problem"]
                assert gateway.code is None, gateway.log_tail()
                disk.give_way(gateway.pid)
                await until(lambda: len(validator.acknowledged) > acknowledged + 50, "taps were acknowledged again")
                await until(lambda: _journal_state(seen.health) == "ok", "health told of the mend")
                validator.tapping.clear()
                await until(lambda: validator.answered_all() and _is_drained(seen.health, validator), "nothing waited")
                if isinstance(disk, FullDisk):
                    disk.copy_out(gateway.pid)
                check_city(files, [validator])
            finally:
                await gateway.kill()


def _is_stuck(health: dict[str, Any], validator: CountingValidator) -> bool:
    """The disk fails, the validator sends no more, and what is acknowledged is exactly what is recorded."""
    stuck = _journal_state(health) == "failing" and validator.unanswered_count == WINDOW
    return stuck and len(validator.acknowledged) == health["journal"]["recorded"] - OWN_EVENTS


def _is_drained(health: dict[str, Any], validator: CountingValidator) -> bool:
    recorded_all = health["journal"]["recorded"] >= len(validator.taps) + OWN_EVENTS
    return recorded_all and not health["backlog"]["events"]


def _journal_state(health: dict[str, Any]) -> str:
    state: str = health["journal"]["state"] if health else ""
    return state


@pytest.mark.slow
async def test_a_journal_at_its_cap_stops_the_devices_and_health_says_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.gateway._MIB", 1 << 15)  # half a MiB is soon full
    tables = QUICK.replace("[health]", "size_max_mb = 16\n[health]")
    with start_mosquitto(tmp_path) as broker, CountingValidator(tmp_path / "validator-1", taps_per_s=500) as validator:
        files = make_city(tmp_path, broker.port, tables=tables)
        async with onlooker(broker.url) as seen, running_gateway(files):
            await until(lambda: _journal_state(seen.health) == "full", "health said that the journal is full")
            await until(lambda: validator.unanswered_count == WINDOW, "the validator's window was full")
            assert seen.health["journal"]["bytes"] < seen.health["journal"]["bytes_max"]
    check_validator(validator, tokens_in(files.journal)[validator.id])
