"""Nothing acknowledged is lost, doubled or reordered, however often gateway, broker and ledger are killed.

WAYSIDE_FAULT_SEED=123 pytest tests/faults/test_kills.py       # the kills of a run that printed this seed
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from edge.journal.reader import JournalReader
from tests.support.brokers import MOSQUITTO, start_embedded, start_mosquitto
from tests.support.city_files import make_city
from tests.support.counting_validator import CountingValidator
from tests.support.invariants import CityCounts, check_city
from tests.support.processes import Process, start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.brokers import BrokerProcess
    from tests.support.city_files import CityFiles

CITIES = 4
GATEWAY_KILLS, LEDGER_KILLS, BROKER_KILLS = 208, 32, 32
STEP_DEADLINE_S = 6.0
DRAIN_DEADLINE_S = 40.0
STOP_DEADLINE_S = 5.0

GATEWAY_STEPS = {
    "journal.begin": (1, 2, 3, 7, 20),
    "journal.signed": (1, 2, 3, 7, 20),
    "journal.inserted": (1, 2, 3, 7, 20),
    "journal.committed": (1, 2, 3, 7, 20),
    "journal.sealed": (1, 2, 4),
    "journal.answer-kept": (1, 2, 4),
}
LEDGER_STEPS = {"ledger.before-commit": (1, 2), "ledger.after-commit": (1, 3), "ledger.after-publish": (1, 3)}
RANDOM = ""


def _plans(steps: Mapping[str, tuple[int, ...]], count: int, chance: random.Random) -> list[str]:
    """`count` crash points: every step at every count, the same number at random moments, and so on, shuffled."""
    points = [f"{name}:{number}" for name, numbers in steps.items() for number in numbers]
    plans = list(itertools.islice(itertools.cycle([*points, *[RANDOM] * len(points)]), count))
    chance.shuffle(plans)
    return plans


@dataclass
class City:
    """One city in the storm: who is killed how often is known before it begins."""

    files: CityFiles
    broker: BrokerProcess
    validators: list[CountingValidator]
    chance: random.Random
    kills: dict[str, int] = field(default_factory=lambda: {"gateway": 0, "at a step": 0, "ledger": 0, "broker": 0})

    async def storm(self, gateway: list[str], ledger: list[str], broker_kills: int) -> None:
        """Kill all three, each at its own pace, until every plan is carried out."""
        async with asyncio.TaskGroup() as killers:
            killers.create_task(self._kill_gateways(gateway, random.Random(self.chance.random())))
            killers.create_task(self._kill_ledgers(ledger, random.Random(self.chance.random())))
            killers.create_task(self._kill_brokers(broker_kills, random.Random(self.chance.random())))

    async def start_gateway(self, kill_at: str = RANDOM) -> Process:
        return await start_module(
            "tests.faults.gateway_process", self.files.gateway_config, "--kill-at", kill_at, name="gateway"
        )

    async def start_ledger(self, kill_at: str = RANDOM) -> Process:
        return await start_module(
            "tests.faults.ledger_process", self.files.ledger_config, "--kill-at", kill_at, name="ledger"
        )

    async def _kill_gateways(self, plans: list[str], chance: random.Random) -> None:
        for plan in plans:
            process = await self.start_gateway(plan)
            await self._await_death(process, plan, chance.uniform(0.2, 1.2))
            self.kills["gateway"] += 1

    async def _kill_ledgers(self, plans: list[str], chance: random.Random) -> None:
        for plan in plans:
            process = await self.start_ledger(plan)
            await self._await_death(process, plan, chance.uniform(0.3, 5))
            self.kills["ledger"] += 1

    async def _kill_brokers(self, count: int, chance: random.Random) -> None:
        for _ in range(count):
            await asyncio.sleep(chance.uniform(0.5, 5))
            self.broker.kill()
            await asyncio.to_thread(self.broker.start)
            self.kills["broker"] += 1

    async def _await_death(self, process: Process, plan: str, moment_s: float) -> None:
        """At its step, or at `moment_s`; by itself it must not end."""
        try:
            with contextlib.suppress(TimeoutError):
                await process.wait(STEP_DEADLINE_S if plan else moment_s)
            assert process.code in (None, -9), f"ended by itself ({process.code}):\n{process.log_tail()}"
            self.kills["at a step"] += process.code is not None
        finally:
            await process.kill()

    async def drain(self) -> None:
        """Everything runs undisturbed until nothing waits; then the gateway is asked to stop."""
        gateway, ledger = await self.start_gateway(), await self.start_ledger()
        try:
            for validator in self.validators:
                validator.tapping.clear()
            await until(self._is_drained, f"{self.files.directory} was drained", DRAIN_DEADLINE_S)
            gateway.terminate()
            assert await gateway.wait(STOP_DEADLINE_S) == 0, gateway.log_tail()
            # What the gateway sealed when it stopped: the next one gets its receipt, and stops in silence again.
            gateway = await self.start_gateway()
            await until(self._is_drained, "the last batch was receipted", DRAIN_DEADLINE_S)
        finally:
            await gateway.kill()
            await ledger.kill()

    def _is_drained(self) -> bool:
        if not all(validator.answered_all() for validator in self.validators):
            return False
        with JournalReader(self.files.journal) as reader:
            return reader.counts("state").keys() == {"receipted"}


@contextlib.contextmanager
def _cities(directory: Path, seed: int) -> Iterator[list[City]]:
    with contextlib.ExitStack() as stack:
        cities = []
        for number in range(CITIES):
            folder = directory / f"city-{number}"
            folder.mkdir()
            broker = stack.enter_context(_broker(folder, durable=number % 2 == 0))
            devices = ["validator-a", "validator-b"]
            files = make_city(folder, broker.port, devices=dict.fromkeys(devices, "jsonl"))
            validators = [stack.enter_context(CountingValidator(folder / device)) for device in devices]
            cities.append(City(files, broker, validators, random.Random(f"{seed} {number}")))
        yield cities


def _broker(folder: Path, *, durable: bool) -> AbstractContextManager[BrokerProcess]:
    """Mosquitto, every other one with a store: after a kill it brings back sessions and messages of long ago."""
    if MOSQUITTO is None:
        return start_embedded(folder)
    return start_mosquitto(folder, durable=durable, settings="autosave_interval 1" if durable else "")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_no_storm_of_kills_loses_doubles_or_reorders_what_was_acknowledged(
    tmp_path: Path,
) -> None:
    seed = int(os.environ.get("WAYSIDE_FAULT_SEED", "0")) or random.randrange(1, 1 << 32)
    sys.stdout.write(f"WAYSIDE_FAULT_SEED={seed}\n")
    chance = random.Random(seed)
    gateway = _plans(GATEWAY_STEPS, GATEWAY_KILLS, chance)
    ledger = _plans(LEDGER_STEPS, LEDGER_KILLS, chance)
    begin_s = time.monotonic()
    with _cities(tmp_path, seed) as cities:
        async with asyncio.TaskGroup() as storms:
            for number, city in enumerate(cities):
                storms.create_task(city.storm(gateway[number::CITIES], ledger[number::CITIES], BROKER_KILLS // CITIES))
        storm_s = time.monotonic() - begin_s
        async with asyncio.TaskGroup() as drains:
            for city in cities:
                drains.create_task(city.drain())
        drained_s = time.monotonic() - begin_s
        counts = [await asyncio.to_thread(check_city, city.files, city.validators) for city in cities]
    kills = {name: sum(city.kills[name] for city in cities) for name in cities[0].kills}
    _tell(kills, counts, (storm_s, drained_s, time.monotonic() - begin_s))
    assert (kills["gateway"], kills["ledger"], kills["broker"]) == (GATEWAY_KILLS, LEDGER_KILLS, BROKER_KILLS)
    # A step that is not reached in time (an answer that cannot come while the broker is down) counts as random.
    assert kills["at a step"] >= (GATEWAY_KILLS + LEDGER_KILLS) // 3
    assert all(count.acknowledged > 100 for count in counts), "the storm left no time to acknowledge anything"


def _tell(
    kills: dict[str, int],
    counts: list[CityCounts],
    seconds: tuple[float, float, float],
) -> None:
    after = ", ".join(f"{one:.1f} s" for one in seconds)
    lines = [f"kills {kills}; storm over, drained, checked after {after}", *map(str, counts)]
    sys.stdout.write("\n".join(lines) + "\n")
