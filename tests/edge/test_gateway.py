from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from edge import clock, gateway
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from edge.journal.errors import JournalForeignError
from edge.journal.files import current_journal, journals
from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.keyfile import KeyFileError, load_key
from ledger_sync.proof.ownership import OwnedError
from tests.edge.journals import alter
from tests.support.brokers import free_port, start_embedded
from tests.support.city_files import make_city
from tests.support.running_city import onlooker
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.config import GatewayConfig
    from tests.support.running_city import Onlooker

QUICK = "[batch]\nage_max_s = 0.2\n[journal]\ncommit_age_max_ms = 1\n[health]\ninterval_s = 0.2\n"


@pytest.fixture
def config(tmp_path: Path) -> GatewayConfig:
    """A gateway without devices; nobody listens where its broker should be."""
    return city(tmp_path, free_port())


def city(directory: Path, port: int) -> GatewayConfig:
    files = make_city(directory, port, devices={}, tables=QUICK)
    files.gateway_config.write_text("heartbeat_s = 0.1\n" + files.gateway_config.read_text())
    return load_gateway_config(files.gateway_config)


@contextlib.asynccontextmanager
async def running(config: GatewayConfig) -> AsyncIterator[None]:
    """Run a gateway for the length of the block; it must have stopped 5 s after that."""
    async with asyncio.timeout(20):
        stop = asyncio.Event()
        task = asyncio.create_task(run_gateway(config, stop))
        try:
            yield
            assert not task.done(), task
        finally:
            stop.set()
            begin = time.monotonic()
            await task
            assert time.monotonic() - begin < 5


def events(path: Path) -> list[Any]:
    if not path.exists():
        return []
    with JournalReader(path) as reader:
        return [parse_event(one.statement) for one in reader.events()]


def types(path: Path) -> list[str]:
    return [event.type for event in events(path)]


def check(config: GatewayConfig, path: Path) -> None:
    with JournalReader(path) as reader:
        verdict = verify_journal(reader, load_key(config.place.key_path).public_key, config.ledgers)
        assert reader.counts("state").get("open") is None, "all is sealed"
    assert verdict.events


async def test_it_runs_with_nothing_but_a_heartbeat(config: GatewayConfig) -> None:
    path = current_journal(config.place.data_dir)
    async with running(config):
        await until(lambda: types(path).count("gateway.heartbeat") >= 2)
    assert types(path)[0] == "gateway.start"
    assert types(path)[-1] == "gateway.stop"
    assert set(types(path)[1:-1]) == {"gateway.heartbeat"}
    assert {event.device for event in events(path)} == {"gw-1"}
    check(config, path)


async def test_a_start_names_the_software_and_the_configuration(config: GatewayConfig, tmp_path: Path) -> None:
    async with running(config):
        await until(lambda: events(current_journal(config.place.data_dir)))
    start = events(current_journal(config.place.data_dir))[0]
    assert start.data["software"].startswith("wayside 0.")
    assert start.data["configuration_sha256"] == sha256((tmp_path / "gateway.toml").read_bytes()).digest()


async def test_a_second_run_goes_on_in_the_same_journal(config: GatewayConfig) -> None:
    path = current_journal(config.place.data_dir)
    for count in (1, 2):
        async with running(config):
            await until(lambda: types(path).count("gateway.start") == count)  # noqa: B023 - awaited in this turn
    assert journals(config.place.data_dir) == [path]
    found = [one for one in types(path) if one != "gateway.heartbeat"]
    assert found == ["gateway.start", "gateway.stop"] * 2
    assert [event.sequence for event in events(path)] == list(range(1, len(events(path)) + 1))
    check(config, path)


async def test_a_step_of_utc_is_recorded(config: GatewayConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "CLOCK_TICK_S", 0.02)
    path, real, step_us = current_journal(config.place.data_dir), clock._utc_us, 0
    monkeypatch.setattr(clock, "_utc_us", lambda: real() + step_us)
    async with running(config):
        await until(lambda: "gateway.heartbeat" in types(path))
        step_us = -3_600_000_000
        await until(lambda: "gateway.clock" in types(path))
    (told,) = [event for event in events(path) if event.type == "gateway.clock"]
    assert abs(told.data["step_us"] + 3_600_000_000) < 1_000_000
    earlier, later = itertools.islice((one.stamp for one in events(path)), told.sequence - 2, told.sequence)
    assert later.utc_us < earlier.utc_us
    assert later.boottime_us >= earlier.boottime_us


@pytest.mark.parametrize("damage", ["header", "open batch", "a page in the middle"])
async def test_a_corrupt_journal_is_set_aside_and_its_successor_says_so(config: GatewayConfig, damage: str) -> None:
    data_dir = config.place.data_dir
    path = current_journal(data_dir)
    async with running(config):
        await until(lambda: len(types(path)) > 5)
    with JournalReader(path) as reader:
        known: dict[str, Any] = {
            "journal": reader.id,
            "batch": reader.batch_count(),
            "sequence": reader.last_sequence(),
        }
    if damage == "header":
        path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])
        known = {"journal": None, "batch": None, "sequence": None}
    elif damage == "open batch":
        alter(path, "DELETE FROM batch WHERE number = (SELECT max(number) FROM batch)")
        alter(path, "UPDATE event SET statement = x'd2' WHERE sequence = (SELECT max(sequence) FROM event)")
        known["batch"] -= 1
    else:
        alter(path, "CREATE TABLE other (x)")  # the last page, which nothing but the quick check reads
        alter(path, "INSERT INTO other VALUES (zeroblob(3000))")
        content = path.read_bytes()
        path.write_bytes(content[:-4096] + b"\xff" * 4096)
    async with running(config):
        await until(lambda: len(journals(data_dir)) == 2 and "gateway.heartbeat" in types(path))
    kept, current = journals(data_dir)
    assert current == path
    assert kept.parent.name.startswith("journal-0001-")
    assert types(path)[:2] == ["gateway.gap", "gateway.start"]
    gap = events(path)[0].data
    assert {name: gap[name] for name in known} == known or damage == "a page in the middle"
    assert "may be lost" in gap["reason"]
    check(config, path)


async def test_an_altered_event_is_found_before_its_anchor_is_sent(tmp_path: Path) -> None:
    with start_embedded(tmp_path) as broker:
        config = city(tmp_path, broker.port)
        path = current_journal(config.place.data_dir)
        broker.kill()
        async with running(config):
            await until(lambda: len(types(path)) > 5)
        alter(path, "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 2) WHERE sequence = 1")
        broker.start()
        async with onlooker(broker.url) as seen, running(config):
            await until(lambda: len(journals(config.place.data_dir)) == 2 and anchored(seen))
        with JournalReader(journals(config.place.data_dir)[0]) as reader:
            corrupt = f"/{reader.id.hex()}/1"
        assert not [message for message in seen.under("/anchor/") if message.topic.endswith(corrupt)]


def anchored(seen: Onlooker) -> bool:
    return bool(seen.under("/anchor/"))


async def test_status_health_and_anchors_are_published_and_the_last_batch_too(tmp_path: Path) -> None:
    with start_embedded(tmp_path) as broker:
        config = city(tmp_path, broker.port)
        path = current_journal(config.place.data_dir)
        async with onlooker(broker.url) as seen:
            async with running(config):
                await until(lambda: anchored(seen) and seen.health.get("backlog", {}).get("batches"))
                states = [message.payload for message in seen.under("/status")]
                assert b'"state":"online"' in states[-1]
            await until(lambda: b'"state":"offline"' in seen.under("/status")[-1].payload)
            with closing(sqlite3.connect(path)) as connection:
                sealed = dict(connection.execute("SELECT number, anchor FROM batch"))
            published = {int(one.topic.split("/")[-1]): one.payload for one in seen.under("/anchor/")}
            assert published == sealed
        assert seen.health["journal"]["state"] == "ok"
        assert types(path)[-1] == "gateway.stop"


async def test_what_must_be_there_is_asked_for_before_anything_runs(config: GatewayConfig) -> None:
    async with running(config):
        await until(lambda: types(current_journal(config.place.data_dir)))
        with pytest.raises(OwnedError):
            await run_gateway(config, asyncio.Event())
    config.place.key_path.unlink()
    with pytest.raises(KeyFileError, match="make one with `init`"):
        await run_gateway(config, asyncio.Event())


async def test_the_journal_of_another_gateway_is_left_alone(config: GatewayConfig, tmp_path: Path) -> None:
    async with running(config):
        await until(lambda: events(current_journal(config.place.data_dir)))
    file = tmp_path / "gateway.toml"
    file.write_text(file.read_text().replace('"gw-1"', '"gw-2"'))
    with pytest.raises(JournalForeignError, match="the journal of demo/gw-1, not of demo/gw-2"):
        await run_gateway(load_gateway_config(file), asyncio.Event())
    assert len(journals(config.place.data_dir)) == 1
