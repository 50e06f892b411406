"""No kill of gateway, broker or authority loses evidence or its event, or makes one of them without the other.

WAYSIDE_FAULT_SEED=123 pytest tests/faults/test_evidence_kills.py       # the kills of a run that printed this seed
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.brokers import start_mosquitto
from tests.support.evidence_city import make_evidence_city
from tests.support.evidence_invariants import check_evidence
from tests.support.processes import Process, start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.brokers import BrokerProcess
    from tests.support.evidence_city import EvidenceCity

VIOLATIONS = 60
STEP_DEADLINE_S = 5.0
DRAIN_DEADLINE_S = 40.0
GATEWAY_STEPS = {
    "evidence.file-written": (1, 2, 4, 7),
    "evidence.renamed": (1, 2),
    "evidence.kept": (1, 2),
    "journal.committed": (2, 3),
    "evidence.marked": (1, 2),
    "upload.acknowledged": (1, 2),
    "upload.kept": (1, 2),
}
AUTHORITY_STEPS = {
    "shelf.begun": (1, 2),
    "shelf.appended": (1, 3, 6),
    "shelf.written": (1, 2),
    "shelf.renamed": (1, 2),
    "receiver.kept": (1, 2),
}
RANDOM = ""


def _plans(steps: Mapping[str, tuple[int, ...]], count: int, chance: random.Random) -> list[str]:
    points = [f"{name}:{number}" for name, numbers in steps.items() for number in numbers]
    plans = list(itertools.islice(itertools.cycle([*points, RANDOM, RANDOM]), count))
    chance.shuffle(plans)
    return plans


async def _kill_again_and_again(module: str, config: Path, name: str, plans: list[str], chance: random.Random) -> int:
    """Each plan's process runs until it dies at its step, or at a random moment; how many died at their step."""
    at_a_step = 0
    for plan in plans:
        process = await start_module(module, config, "--kill-at", plan, name=name)
        try:
            with contextlib.suppress(TimeoutError):
                await process.wait(STEP_DEADLINE_S if plan else chance.uniform(0.3, 1.5))
            assert process.code in (None, -9), f"{name} ended by itself ({process.code}):\n{process.log_tail()}"
            at_a_step += process.code is not None
        finally:
            await process.kill()
    return at_a_step


async def _drain(files: EvidenceCity) -> None:
    """Everything runs undisturbed until all evidence is at the authority."""
    city = files.city
    gateway = await start_module("tests.faults.evidence_gateway_process", city.gateway_config, name="gateway")
    authority = await start_module("tests.faults.authority_process", files.authority_config, name="authority")

    def is_drained() -> bool:
        return files.seen_count() >= VIOLATIONS and not files.local_ids()

    try:
        await until(is_drained, f"all was at the authority\n{_tail(gateway)}", DRAIN_DEADLINE_S)
    finally:
        await gateway.kill()
        await authority.kill()


def _tail(process: Process) -> str:
    return process.log_tail()[-600:]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_kill_makes_an_event_without_evidence_or_evidence_without_an_event(tmp_path: Path) -> None:
    seed = int(os.environ.get("WAYSIDE_FAULT_SEED", "0")) or random.randrange(1, 1 << 32)
    sys.stdout.write(f"WAYSIDE_FAULT_SEED={seed}\n")
    chance = random.Random(seed)
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=VIOLATIONS, interval_s=0.25, delete_after_s=0)
        storm = (
            ("tests.faults.evidence_gateway_process", files.city.gateway_config, "gateway", GATEWAY_STEPS, 18),
            ("tests.faults.authority_process", files.authority_config, "authority", AUTHORITY_STEPS, 13),
        )
        async with asyncio.TaskGroup() as killers:
            killed = [
                killers.create_task(
                    _kill_again_and_again(
                        module, config, name, _plans(steps, count, chance), random.Random(chance.random())
                    )
                )
                for module, config, name, steps, count in storm
            ]
            killers.create_task(_restart_broker(broker, random.Random(chance.random()), 3))
        await _drain(files)
        count = await asyncio.to_thread(check_evidence, files)
    at_a_step = [one.result() for one in killed]
    sys.stdout.write(
        f"killed at a step: gateway {at_a_step[0]}, authority {at_a_step[1]}; {count} pieces of evidence\n"
    )
    assert min(at_a_step) >= 6
    # A violation whose evidence was not written whole before a kill never was one.
    assert count >= VIOLATIONS // 2


async def _restart_broker(broker: BrokerProcess, chance: random.Random, count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(chance.uniform(2, 6))
        broker.kill()
        await asyncio.to_thread(broker.start)
