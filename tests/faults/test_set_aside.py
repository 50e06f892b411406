"""What was sealed in a journal that had to be set aside is still anchored, as far as it is intact."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge.config import load_gateway_config
from edge.journal.files import journals
from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from edge.prove import prove
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust
from ledger_sync.proof.verify import verify
from tests.support.brokers import free_port, start_mosquitto
from tests.support.city_files import CITY, GATEWAY, LEDGER, QUICK, CityFiles, make_city
from tests.support.counting_validator import CountingValidator
from tests.support.running_city import running_gateway, running_ledger
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

TAPS = 70
SLOW_BATCHES = QUICK.replace("age_max_s = 0.3", "age_max_s = 60")
"""Three batches of 20 are sealed, the rest stays open."""


async def _offline_gateway(directory: Path) -> CityFiles:
    """A gateway that never had a broker: three sealed batches, and the one that its stop sealed."""
    files = make_city(directory, free_port(), tables=SLOW_BATCHES)
    with CountingValidator(directory / "validator-1", taps_max=TAPS) as validator:
        async with running_gateway(files):
            await until(validator.answered_all, "all taps were acknowledged")
    return files


def _alter_event(files: CityFiles, sequence: int) -> None:
    with contextlib.closing(sqlite3.connect(files.journal, isolation_level=None)) as connection:
        connection.execute("UPDATE event SET statement = x'd2' WHERE sequence = ?", (sequence,))


def _states(path: Path) -> list[str]:
    with JournalReader(path) as reader:
        return [batch.state for batch in reader.batches()]


@pytest.mark.slow
@pytest.mark.parametrize(("damaged", "intact"), [(45, 2), (5, 0)])
async def test_the_batches_before_the_damage_get_their_receipts_and_prove_their_events(
    tmp_path: Path, damaged: int, intact: int
) -> None:
    await _offline_gateway(tmp_path)
    with start_mosquitto(tmp_path) as broker:
        files = make_city(tmp_path, broker.port, tables=SLOW_BATCHES)
        _alter_event(files, damaged)
        async with running_ledger(files), running_gateway(files):
            await until(lambda: len(journals(files.directory / "var")) == 2, "the journal was set aside")
            kept = journals(files.directory / "var")[0]
            await until(lambda: _states(kept).count("receipted") == intact, "what is intact was receipted")
    assert _states(kept) == ["receipted"] * intact + ["sealed"] * (len(_states(kept)) - intact)
    trust = Trust(CITY, (GatewayKey(GATEWAY, files.gateway_key),), (LedgerKey(LEDGER, files.ledger_key),))
    with JournalReader(kept) as reader:
        for sequence in range(1, 20 * intact + 1):
            assert verify(prove(reader, sequence), trust).sequence == sequence


@pytest.mark.slow
async def test_a_later_start_goes_on_with_what_is_set_aside(tmp_path: Path) -> None:
    files = await _offline_gateway(tmp_path)
    _alter_event(files, 45)
    with start_mosquitto(tmp_path) as broker:
        files = make_city(tmp_path, broker.port, tables=SLOW_BATCHES)
        async with running_gateway(files):
            await until(lambda: len(journals(files.directory / "var")) == 2, "the journal was set aside")
        kept, current = journals(files.directory / "var")
        assert "receipted" not in _states(kept)
        async with running_ledger(files), running_gateway(files):
            await until(lambda: _states(kept).count("receipted") == 2, "what is intact was receipted")
            await until(lambda: "receipted" in _states(current), "the current journal is anchored beside it")
    with JournalReader(current) as reader:
        verify_journal(reader, files.gateway_key, load_gateway_config(files.gateway_config).ledgers)
