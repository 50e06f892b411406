"""A gateway that is killed between a site and its supervisor: `wayside run` itself, SIGKILL, and a journal."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devices.sim.device import Placement
from devices.sim.signal.rsmp import RsmpSite
from edge.harness.toml_text import toml_table
from edge.journal.files import journals
from edge.journal.listing import event_row
from edge.journal.reader import JournalReader
from tests.devices.signal.rsmp_relays import RelayProcess, short_folder
from tests.devices.simulating import Said
from tests.support.brokers import free_port
from tests.support.city_files import make_city
from tests.support.processes import start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devices.sim.signal.rsmp_supervisor import RsmpSupervisor
    from tests.support.city_files import CityFiles
    from tests.support.processes import Process

__all__ = ["short_folder"]

KILLS = 4
BACK_WITHIN_S = 10.0


@dataclass
class Watch:
    """How long the supervisor heard nothing of the site, at worst."""

    supervisor: RsmpSupervisor
    worst_s: float = 0.0
    _heard: int = 0
    _at_s: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        while True:
            if self.supervisor.updates > self._heard:
                self._heard, self._at_s = self.supervisor.updates, time.monotonic()
            self.worst_s = max(self.worst_s, time.monotonic() - self._at_s)
            await asyncio.sleep(0.005)


def phases(files: CityFiles) -> list[dict[str, Any]]:
    found = []
    for path in journals(files.directory / "var"):
        with JournalReader(path) as reader:
            rows = [event_row(reader, summary) for summary in reader.events()]
        found += [row["data"] for row in rows if row["type"] == "signal.phase"]
    return found


async def until_more(count: Callable[[], int], more: int, what: str) -> None:
    least = count() + more
    await until(lambda: count() >= least, what, BACK_WITHIN_S)


async def start_gateway(files: CityFiles) -> Process:
    return await start_module("tests.faults.gateway_process", files.gateway_config, name="gateway")


async def test_a_site_talks_on_while_its_gateway_is_killed_and_every_change_is_recorded_once(
    short_folder: Path,
) -> None:
    chance, said = random.Random(5), Said()
    options = {"proxied": True, "reconnect_s": 0.1}
    site = RsmpSite(Placement("signal-1", 7, short_folder, interval_s=0.03, options=options), said.truth)
    await site.start()
    supervisor = site.supervisor
    assert supervisor is not None
    files = make_city(short_folder, free_port(), devices={})
    with files.gateway_config.open("a") as file:
        file.write(toml_table("[[device]]", {"id": "signal-1", **site.settings(), "relay_idle_s": 20}))
    gateway = await start_gateway(files)
    running = asyncio.create_task(site.run())
    try:
        await until(lambda: supervisor.updates, "the site talks to its supervisor")
        watch = Watch(supervisor)
        watching = asyncio.create_task(watch.run())
        for _ in range(KILLS):
            await until_more(lambda: len(phases(files)), 1, "events go on")
            await asyncio.sleep(chance.uniform(0, 0.3))
            await gateway.kill()
            await until_more(lambda: supervisor.updates, 5, "the site talks on")
            gateway = await start_gateway(files)
        await until_more(lambda: len(phases(files)), 30, "events go on after the last kill too")
        gateway.terminate()
        assert await gateway.wait() == 0
        await until_more(lambda: supervisor.updates, 5, "an orderly stop cuts nothing either")
        watching.cancel()
        gateway = await start_gateway(files)
        running.cancel()
        await asyncio.wait([running])
        sure = [row["data"] for row in said.rows().values() if row["sure"] and row["type"] == "signal.phase"]
        newest = sure[-1]["start_time"]
        await until(lambda: any(one["start_time"] == newest for one in phases(files)), "all is recorded")
    finally:
        running.cancel()
        await asyncio.wait([running])
        await gateway.kill()
        await RelayProcess(short_folder, supervisor.port).end()

    assert supervisor.connections == site.connections == 1
    assert watch.worst_s < BACK_WITHIN_S
    assert list(supervisor.wire.received) == list(site.wire.sent)[: len(supervisor.wire.received)]
    assert list(site.wire.received) == list(supervisor.wire.sent)[: len(site.wire.received)]
    assert len([one for one in supervisor.wire.received if json.loads(one)["type"] == "StatusUpdate"]) > 30
    found = [(one["group"], one["start_time"], one["raw"]) for one in phases(files)]
    assert len(found) == len(set(found)), "recorded twice"
    assert {(one["group"], one["start_time"], one["raw"]) for one in sure} <= set(found)
    assert [one[1] for one in found] == sorted(one[1] for one in found)
    assert {(one["controller"], one["resolution_ms"]) for one in phases(files)} == {(sure[0]["controller"], 0)}
    assert len({one["start_time"] for one in phases(files) if one["cause"] == "opening"}) == 1
