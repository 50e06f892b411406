"""A scenario run: devices behave, things go wrong, and what was really said is written down."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.sim.device import Truth
from edge.error_groups import leaves

from .errors import HarnessError
from .place import TRUTH, lay_out
from .ports import free_port, until_listening
from .processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .place import Place
    from .scenario import Scenario

_MQTT_KINDS = {"meter-mqtt", "parking-chirpstack"}
_BROKER_UP_MAX_S = 15.0
_TICK_S = 0.1
_RESTART_S = 0.5


@dataclass(slots=True)
class Progress:
    """How a run fares, for whoever looks on."""

    devices: int = 0
    said: int = 0
    kills: int = 0
    passed_s: float = 0.0
    duration_s: float = 0.0


class _CountedTruth(Truth):
    """The truth, counted as it is told."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._progress = progress
        self.opened = path.open("x", encoding="utf-8")
        super().__init__(self.opened)

    def add(self, device: str, kind: str, data: Mapping[str, Any], *, sure: bool) -> int:
        self._progress.said += 1
        return super().add(device, kind, data, sure=sure)


async def run_scenario(
    scenario: Scenario,
    folder: Path,
    stop: asyncio.Event,
    *,
    broker: str | None,
    with_gateway: bool,
    tell: Callable[[Progress], None],
    ready: Callable[[Place], None],
) -> Progress:
    """Run a scenario in `folder` until its duration is over or `stop` is set; the truth goes to truth.jsonl there.

    With a gateway: a broker (the embedded one, if none is named), a ledger and a gateway run beside, and end in
    order. `ready` is called once the devices are there, `tell` again and again. Raises HarnessError, OSError.
    """
    progress = Progress(devices=sum(one.count for one in scenario.device), duration_s=scenario.duration_s)
    truth = await asyncio.to_thread(_new_truth, folder, progress)
    with contextlib.closing(truth.opened), contextlib.ExitStack() as processes:
        url = broker or await _embedded_broker(scenario, folder, processes, with_gateway=with_gateway)
        place = await lay_out(scenario, folder, url, truth)
        ready(place)
        gateway = _Gateway(place, scenario.gateway.kill_every_s, processes) if with_gateway else None
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(device.run(), name=device.kind) for device in place.devices]
                await _until_over(scenario.duration_s, stop, gateway, progress, tell)
                if gateway:
                    await gateway.stop()
                for task in running:
                    task.cancel()
        except ExceptionGroup as group:
            raise leaves(group)[0] from group
    return progress


def _new_truth(folder: Path, progress: Progress) -> _CountedTruth:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _CountedTruth(folder / TRUTH, progress)
    except FileExistsError as error:
        raise HarnessError(f"{folder}: holds the truth of another run; name another --folder, or remove it") from error


async def _embedded_broker(
    scenario: Scenario, folder: Path, processes: contextlib.ExitStack, *, with_gateway: bool
) -> str:
    """The URL of an embedded broker of our own, started if anybody needs one."""
    port = free_port()
    if with_gateway or any(one.kind in _MQTT_KINDS for one in scenario.device):
        broker = Process("broker", ("broker", "run", "--port", str(port)), folder)
        processes.callback(broker.kill)
        broker.start()
        try:
            await until_listening("127.0.0.1", port, _BROKER_UP_MAX_S)
        except HarnessError:
            broker.check()
            raise
    return f"mqtt://127.0.0.1:{port}"


class _Gateway:
    """The gateway of a run, with its ledger; killed and started again as the scenario says."""

    def __init__(self, place: Place, kill_every_s: float | None, processes: contextlib.ExitStack) -> None:
        self._ledger = Process("ledger", ("ledger", "run", "--config", "ledger.toml"), place.folder)
        self._gateway = Process("gateway", ("run", "--config", "gateway.toml"), place.folder)
        self._kill_every_s = kill_every_s
        self._kill_at_s = time.monotonic() + (kill_every_s or 0)
        for process in (self._ledger, self._gateway):
            processes.callback(process.kill)
            process.start()

    async def tick(self, progress: Progress) -> None:
        """Kill it if it is time to. Raises HarnessError when it ended by itself."""
        self._gateway.check()
        self._ledger.check()
        if self._kill_every_s is not None and time.monotonic() >= self._kill_at_s:
            self._gateway.kill()
            progress.kills += 1
            await asyncio.sleep(_RESTART_S)
            self._gateway.start()
            self._kill_at_s = time.monotonic() + self._kill_every_s

    async def stop(self) -> None:
        """End both in order. Raises HarnessError when one does not."""
        await self._gateway.stop()
        await self._ledger.stop()


async def _until_over(
    duration_s: float,
    stop: asyncio.Event,
    gateway: _Gateway | None,
    progress: Progress,
    tell: Callable[[Progress], None],
) -> None:
    began_s = time.monotonic()
    while not stop.is_set() and progress.passed_s < duration_s:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await stop.wait()
        if gateway:
            await gateway.tick(progress)
        progress.passed_s = time.monotonic() - began_s
        tell(progress)
