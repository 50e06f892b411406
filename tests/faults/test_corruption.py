"""A journal that cannot be believed is noticed, set aside whole, and followed by a new one that names it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli import main
from edge.journal.files import current_journal, journals, last_known, set_aside
from edge.journal.reader import JournalReader
from ledger_sync.proof.event import parse_event
from tests.support.brokers import ROOT, free_port, start_mosquitto
from tests.support.city_files import GATEWAY, QUICK, make_city
from tests.support.counting_validator import CountingValidator
from tests.support.invariants import check_validator, tokens_in
from tests.support.processes import start_module
from tests.support.running_city import running_gateway, running_ledger
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from ledger_sync.proof.event import Event
    from tests.support.city_files import CityFiles

TAPS = 30
SLOW_BATCHES = QUICK.replace("age_max_s = 0.3", "age_max_s = 60")
"""20 events are sealed as batch 1, the rest stays open."""
IN_SEALED, IN_OPEN = 5, 25


async def _killed_gateway(directory: Path, kill_at: str = "") -> CityFiles:
    """A gateway without a broker that recorded 30 taps (a sealed batch and an open one) and was killed."""
    files = make_city(directory, free_port(), tables=SLOW_BATCHES)
    with CountingValidator(directory / "validator-1", taps_max=TAPS) as validator:
        gateway = await _start(files, "--kill-at", kill_at)
        await until(validator.answered_all, "all taps were acknowledged")
        await gateway.kill()
    return files


async def _start(files: CityFiles, *arguments: str) -> Any:
    return await start_module("tests.faults.gateway_process", files.gateway_config, *arguments, name="gateway")


@contextlib.contextmanager
def _opened(files: CityFiles) -> Any:
    with contextlib.closing(sqlite3.connect(files.journal, isolation_level=None)) as connection:
        yield connection


def _into_one_file(files: CityFiles) -> None:
    """Move what is in the write-ahead log into the file, as closing the last connection does."""
    with _opened(files) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _flip_in_row(sequence: int) -> Callable[[CityFiles], None]:
    def damage(files: CityFiles) -> None:
        with _opened(files) as connection:
            (statement,) = connection.execute("SELECT statement FROM event WHERE sequence = ?", (sequence,)).fetchone()
            altered = bytearray(statement)
            altered[len(altered) // 2] ^= 1
            connection.execute("UPDATE event SET statement = ? WHERE sequence = ?", (bytes(altered), sequence))

    return damage


def _flip_in_file(sequence: int) -> Callable[[CityFiles], None]:
    def damage(files: CityFiles) -> None:
        with _opened(files) as connection:
            (statement,) = connection.execute("SELECT statement FROM event WHERE sequence = ?", (sequence,)).fetchone()
        _into_one_file(files)
        content = bytearray(files.journal.read_bytes())
        content[content.index(statement) + len(statement) // 2] ^= 1
        files.journal.write_bytes(content)

    return damage


def _delete_row(sequence: int) -> Callable[[CityFiles], None]:
    def damage(files: CityFiles) -> None:
        with _opened(files) as connection:
            connection.execute("DELETE FROM event WHERE sequence = ?", (sequence,))

    return damage


def _zero_first_page(files: CityFiles) -> None:
    _into_one_file(files)
    content = files.journal.read_bytes()
    files.journal.write_bytes(bytes(4096) + content[4096:])


def _truncate(part: float) -> Callable[[CityFiles], None]:
    def damage(files: CityFiles) -> None:
        _into_one_file(files)
        content = files.journal.read_bytes()
        files.journal.write_bytes(content[: int(len(content) * part)])

    return damage


def _overwrite(files: CityFiles) -> None:
    _into_one_file(files)
    files.journal.write_bytes(b"this is no journal " * 5000)


def _delete_log(files: CityFiles) -> None:
    files.journal.with_name("journal.sqlite-wal").unlink()


def _delete_file(files: CityFiles) -> None:
    files.journal.unlink()


DAMAGES = {
    "a byte flipped in a sealed event": _flip_in_row(IN_SEALED),
    "a byte flipped in an open event": _flip_in_row(IN_OPEN),
    "a byte of the file flipped in a sealed event": _flip_in_file(IN_SEALED),
    "a byte of the file flipped in an open event": _flip_in_file(IN_OPEN),
    "a sealed event deleted": _delete_row(IN_SEALED),
    "an open event deleted": _delete_row(IN_OPEN),
    "its first page zeroed": _zero_first_page,
    "half of the file gone": _truncate(0.5),
    "all but a little of the file gone": _truncate(0.01),
    "an empty file": _truncate(0),
    "another content": _overwrite,
    "its write-ahead log deleted": _delete_log,
    "its file deleted": _delete_file,
}
UNREADABLE = {
    "its first page zeroed",
    "half of the file gone",
    "all but a little of the file gone",
    "an empty file",
    "another content",
    "its file deleted",
}
"""What is lost with these cannot be told."""


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_journal_is_set_aside_and_the_new_one_begins_with_a_gap_that_names_it(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = await _killed_gateway(tmp_path)
    with JournalReader(files.journal) as reader:
        old = reader.id
    DAMAGES[damage](files)
    with start_mosquitto(tmp_path) as broker:
        files = make_city(tmp_path, broker.port)
        async with _taps_acknowledged_by_a_new_journal(files) as validator:
            pass
    if damage != "its file deleted":
        (told,) = [record for record in caplog.records if record.message.startswith("journal is corrupt")]
        assert vars(told)["problem"].startswith(f"{files.journal}: ")
    (kept,) = (files.directory / "var").glob("journal-0001-*")
    gap, start = _first_events(files.journal, 2)
    assert (gap.type, start.type) == ("gateway.gap", "gateway.start")
    if damage not in UNREADABLE:
        assert kept.name == f"journal-0001-{old.hex()}"
        assert gap.data["journal"] == old
        assert (gap.data["batch"], gap.data["sequence"]) == last_known(kept / "journal.sqlite")[1:]
    check_validator(validator, tokens_in(files.journal)["validator-1"])


@contextlib.asynccontextmanager
async def _taps_acknowledged_by_a_new_journal(files: CityFiles) -> AsyncIterator[CountingValidator]:
    async with running_ledger(files), running_gateway(files):
        await until(lambda: _has_another(files), "another journal was begun")
        with CountingValidator(files.directory / "validator-1", taps_max=TAPS) as validator:
            # Its tokens are those of the first run: a new journal does not remember them.
            await until(validator.answered_all, "all taps were acknowledged")
            yield validator


def _has_another(files: CityFiles) -> bool:
    """Looks at names only: to open the journal would make the log anew that was deleted."""
    aside = (files.directory / "var").glob("journal-0001-*")
    return any(aside) and files.journal.exists()


def _first_events(path: Path, count: int) -> list[Event]:
    with JournalReader(path) as reader:
        return [parse_event(statement) for _, statement in reader.statements(1, count)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("a byte flipped in a sealed event", "event 5"),
        ("a byte of the file flipped in an open event", "event 25"),
        ("a sealed event deleted", "event 5"),
        ("an open event deleted", "event 25"),
    ],
)
async def test_journal_verify_names_the_first_event_that_fails_and_exits_with_1(
    tmp_path: Path, damage: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = await _killed_gateway(tmp_path)
    assert main(["journal", "verify", "--config", str(files.gateway_config), "--json"]) == 0
    DAMAGES[damage](files)
    capsys.readouterr()
    assert main(["journal", "verify", "--config", str(files.gateway_config), "--json"]) == 1
    assert named in json.loads(capsys.readouterr().out)["sentence"]


@pytest.mark.slow
async def test_a_kill_between_setting_aside_and_birth_is_harmless(tmp_path: Path) -> None:
    files = await _killed_gateway(tmp_path)
    with JournalReader(files.journal) as reader:
        old = reader.id
    set_aside(files.directory / "var")
    # As far as a birth comes before its last rename.
    (files.directory / "var" / "journal.new").mkdir()
    (files.directory / "var" / "journal.new" / "journal.sqlite").write_bytes(b"half")
    async with _taps_acknowledged_by_a_new_journal(files):
        pass
    assert _first_events(files.journal, 1)[0].data["journal"] == old


@pytest.mark.slow
@pytest.mark.parametrize("step", ["journal.begin", "journal.signed", "journal.inserted", "journal.committed"])
async def test_a_kill_before_the_gap_is_told_leaves_it_to_the_next_start(tmp_path: Path, step: str) -> None:
    files = await _killed_gateway(tmp_path)
    with JournalReader(files.journal) as reader:
        old = reader.id
    DAMAGES["an open event deleted"](files)
    gateway = await _start(files, "--kill-at", f"{step}:1")
    assert await gateway.wait() == -9
    async with _taps_acknowledged_by_a_new_journal(files):
        pass
    events = _first_events(files.journal, 1 << 20)
    assert [event.sequence for event in events if event.type == "gateway.gap"] == [1]
    assert events[0].data["journal"] == old


@pytest.mark.slow
async def test_a_journal_of_another_gateway_or_of_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    files = await _killed_gateway(tmp_path)
    text = files.gateway_config.read_text()
    files.gateway_config.write_text(text.replace(f'gateway = "{GATEWAY}"', 'gateway = "gw-2"'))
    assert "is the journal of demo/gw-1, not of demo/gw-2" in _run_refused(files)
    files.gateway_config.write_text(text)
    with _opened(files) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert "is of schema 999" in _run_refused(files)
    assert journals(files.directory / "var") == [current_journal(files.directory / "var")]


@pytest.mark.slow
async def test_a_second_run_on_the_same_data_dir_exits_with_2_and_a_sentence(tmp_path: Path) -> None:
    files = make_city(tmp_path, free_port(), devices={})
    async with running_gateway(files):
        await until(files.journal.exists, "the first run had its journal")
        sentence = await asyncio.to_thread(_run_refused, files)
    assert "is in use by another `wayside run`" in sentence


def _run_refused(files: CityFiles) -> str:
    """The one sentence on stderr of a `wayside run` that exits with 2."""
    command = [sys.executable, "-c", "import sys; from edge.cli import main; sys.exit(main())", "run"]
    process = subprocess.run(
        [*command, "--config", str(files.gateway_config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert process.returncode == 2, process.stderr
    assert process.stdout == ""
    assert process.stderr.startswith("wayside: ")
    assert process.stderr.count("\n") == 1, process.stderr
    return process.stderr
