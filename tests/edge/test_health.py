from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker.session import Session
from broker.url import BrokerUrl
from edge import health
from edge.clock import Clock
from edge.device.config import CommonSettings
from edge.device.supervisor import SupervisedDevice
from edge.health import HealthSources
from edge.journal.files import current_journal
from edge.journal.reader import JournalReader
from ledger_sync.anchorer import AnchorerCounters
from ledger_sync.proof.event import ClockState
from tests.edge.drivers import ScriptedDriver
from tests.edge.recording import recording, tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIZE_MAX = 1 << 30
SHAPE = {
    "time": None,
    "journal": {"id", "state", "problem", "recorded", "bytes", "bytes_max", "full_in_s"},
    "backlog": {"events", "batches", "bytes", "oldest_age_s"},
    "anchors": {
        "published",
        "receipts",
        "refusals",
        "answers_ignored",
        "answers_repeated",
        "last_anchor",
        "last_receipt",
    },
    "broker": {"reconnects", "dropped", "last_error"},
    "clock": {"state", "error_us"},
    "machine": {"disk_free_bytes", "memory_bytes", "written_bytes", "temperature_mdeg_c"},
    "devices": None,
    "evidence": set(),
}


@pytest.fixture
async def sources(tmp_path: Path) -> AsyncIterator[HealthSources]:
    """A journal of three batches of two taps, a device, and a session that never connected."""
    device = SupervisedDevice(CommonSettings("gate-1", "scripted"), ScriptedDriver([]), "gw-1")
    async with recording(tmp_path, count_max=2) as recorder:
        for _ in range(5):
            await recorder.record("gate-1", tap())
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        session = Session(BrokerUrl("127.0.0.1", 1), "gw-1")
        with JournalReader(current_journal(tmp_path)) as reader:
            counters = AnchorerCounters()
            yield HealthSources(tmp_path, SIZE_MAX, Clock(), session, recorder, reader, counters, [device], dict)


def test_every_value_of_the_design_is_there_and_is_json(sources: HealthSources) -> None:
    values = json.loads(json.dumps(sources.values(), allow_nan=False))
    assert values.keys() == SHAPE.keys()
    assert {name: set(values[name]) for name, keys in SHAPE.items() if keys} == {
        name: keys for name, keys in SHAPE.items() if keys
    }
    assert values["time"].endswith("Z")
    machine = values["machine"]
    assert machine["memory_bytes"] > 1_000_000
    assert machine["disk_free_bytes"] > 0
    assert machine["written_bytes"] >= 0


def test_the_journal_and_its_backlog(sources: HealthSources) -> None:
    values = sources.values()
    journal = values["journal"]
    assert (journal["state"], journal["problem"], journal["recorded"]) == ("ok", "", 6)
    assert (journal["bytes"], journal["bytes_max"]) == (sources.recorder.size_bytes, SIZE_MAX)
    backlog = values["backlog"]
    assert (backlog["events"], backlog["batches"], backlog["oldest_age_s"]) == (6, 3, 0)
    assert backlog["bytes"] == journal["bytes"]
    with closing(sqlite3.connect(current_journal(sources.data_dir))) as connection, connection:
        connection.execute("UPDATE batch SET receipt = x'00', sealed_us = 0 WHERE number = 1")
        connection.execute("UPDATE batch SET sealed_us = sealed_us - 90000000 WHERE number = 2")
    backlog = sources.values()["backlog"]
    assert (backlog["events"], backlog["batches"]) == (4, 2)
    assert 90 <= backlog["oldest_age_s"] <= 110
    assert backlog["bytes"] == journal["bytes"] * 4 // 6


@pytest.mark.parametrize(
    ("problem", "is_full", "state"), [("disk is full", True, "failing"), ("", True, "full"), ("", False, "ok")]
)
def test_a_journal_that_cannot_take_more_says_so(
    sources: HealthSources, problem: str, is_full: object, state: str
) -> None:
    sources.recorder.write_problem, sources.recorder.is_full = problem, bool(is_full)
    assert (sources.values()["journal"]["state"], sources.values()["journal"]["problem"]) == (state, problem)


def test_how_long_the_buffer_lasts_follows_from_its_growth(
    sources: HealthSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("edge.health.time.monotonic", lambda: now)
    sources.recorder.size_bytes = SIZE_MAX // 2
    assert sources.values()["journal"]["full_in_s"] is None  # nothing to compare with yet
    now += 30
    sources.recorder.size_bytes += 30 * 1024
    left = SIZE_MAX - sources.recorder.size_bytes
    assert sources.values()["journal"]["full_in_s"] == round(left / 1024)
    now += 30
    assert sources.values()["journal"]["full_in_s"] is None  # it does not grow
    now += 30
    sources.recorder.size_bytes = SIZE_MAX + 1
    assert sources.values()["journal"]["full_in_s"] == 0


def test_what_the_anchorer_saw(sources: HealthSources) -> None:
    assert sources.values()["anchors"]["last_anchor"] is None
    sources.anchorer = AnchorerCounters(5, 3, 1, 2, 4, 1_767_225_600.9, 1_767_225_601.0)
    assert sources.values()["anchors"] == {
        "published": 5,
        "receipts": 3,
        "refusals": 1,
        "answers_ignored": 2,
        "answers_repeated": 4,
        "last_anchor": "2026-01-01T00:00:00Z",
        "last_receipt": "2026-01-01T00:00:01Z",
    }


def test_each_device_with_its_last_reading(sources: HealthSources) -> None:
    (device,) = sources.devices
    device.driver.counters.figures = {"measured": 4}
    assert sources.values()["devices"] == [
        {
            "id": "gate-1",
            "driver": "scripted",
            "online": False,
            "reason": "",
            "last_reading": None,
            "readings": 0,
            "thinned": 0,
            "refused": 0,
            "errors": 0,
            "resyncs": 0,
            "bytes_dropped": 0,
            "figures": {"measured": 4},
        }
    ]
    device.online, device.last_reading_at, device.refused = True, 1_767_225_600.0, 2
    device.driver.counters.readings, device.policy.thinned = 7, 4
    device.driver.counters.last_error = "4242 4242 4242 4242 is no line"
    (told,) = sources.values()["devices"]
    assert "4242" not in json.dumps(told)
    assert (told["online"], told["last_reading"]) == (True, "2026-01-01T00:00:00Z")
    assert (told["readings"], told["thinned"], told["refused"]) == (7, 4, 2)


@pytest.mark.parametrize(("state", "word"), [(0, "unsynced"), (1, "holdover"), (2, "synced")])
def test_the_clock(sources: HealthSources, state: int, word: str) -> None:
    bound = None if state == 0 else 1500
    sources.clock.state = ClockState(state, bound, "kernel", authenticated=False)
    assert sources.values()["clock"] == {"state": word, "error_us": bound}


def test_a_machine_that_does_not_tell_is_no_error(
    sources: HealthSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_TEMPERATURE_FILE", "_STATUS_FILE", "_IO_FILE"):
        monkeypatch.setattr(health, name, tmp_path / "none")
    machine = sources.values()["machine"]
    assert (machine["memory_bytes"], machine["written_bytes"], machine["temperature_mdeg_c"]) == (None, None, None)
    (tmp_path / "temperature").write_text("48312\n")
    monkeypatch.setattr(health, "_TEMPERATURE_FILE", tmp_path / "temperature")
    assert sources.values()["machine"]["temperature_mdeg_c"] == 48312
