"""A gateway that is killed around the recording of a passport has it once all the same, and every event names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config import load_gateway_config
from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from ledger_sync.proof.event import parse_event
from tests.support.brokers import free_port
from tests.support.city_files import QUICK, make_city
from tests.support.counting_validator import CountingValidator
from tests.support.invariants import check_validator, tokens_in
from tests.support.processes import start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.city_files import CityFiles

# The passport is in the second or third commit: gateway.start is waited for, and is the first.
STEPS = ["journal.begin:2", "journal.signed:2", "journal.inserted:2", "journal.committed:2", "journal.begin:4"]


def _say(files: CityFiles, place: str) -> None:
    text = files.gateway_config.read_text().partition("\n[device.passport]\n")[0]
    files.gateway_config.write_text(f'{text}\n[device.passport]\nplace = "{place}"\n')


@pytest.mark.slow
@pytest.mark.parametrize("tables", [QUICK, QUICK.replace("count_max = 20", "count_max = 1")], ids=["open", "sealed"])
async def test_kills_around_a_passport_leave_it_once_and_named(tmp_path: Path, tables: str) -> None:
    files = make_city(tmp_path, free_port(), tables=tables)
    with CountingValidator(tmp_path / "validator-1", taps_max=60) as validator:
        for place in ("Harbour Road 12", "Mill Lane 3"):
            _say(files, place)
            for step in STEPS:
                gateway = await start_module(
                    "tests.faults.gateway_process", files.gateway_config, "--kill-at", step, name="gateway"
                )
                assert await gateway.wait() == -9, gateway.log_tail()
        gateway = await start_module("tests.faults.gateway_process", files.gateway_config, name="gateway")
        await until(validator.answered_all, "all taps were acknowledged")
        gateway.terminate()
        assert await gateway.wait() == 0, gateway.log_tail()
    with JournalReader(files.journal) as reader:
        verify_journal(reader, files.gateway_key, load_gateway_config(files.gateway_config).ledgers)
        events = [parse_event(one.statement) for one in reader.events()]
    passports = [event.data["place"] for event in events if event.type == "device.passport"]
    assert passports == ["Harbour Road 12", "Mill Lane 3"]
    of_device = [event for event in events if event.device == "validator-1"]
    assert all(event.passport for event in of_device if event.type != "device.passport")
    check_validator(validator, tokens_in(files.journal)["validator-1"])
