"""A driver that follows another device and writes down what it is told; and a gateway that knows it and can be killed.

`python -m tests.edge.following --config F --kill-at STEP:N`
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import edge.device.config
import edge.device.drivers
from devices.driver import CommittedEvent, Reading, WireCounters, WireRole
from devices.registry import load_driver
from edge.cli.running import run_until_signal
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from ledger_sync.proof.report import data_to_json
from ledger_sync.proof.settings import parse_file, setting
from tests.support.kill_at import KillAt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True)
class FollowerSettings:
    """Keys of a `[[device]]` with `driver = "follower"`."""

    signal: str = setting(doc="the device that is followed")
    told: Path = setting(doc="where to write what is told", parse=parse_file)


class Follower:
    """Says nothing itself; each committed event becomes a line of its file at once."""

    Settings: ClassVar[type[FollowerSettings]] = FollowerSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: FollowerSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._told = settings.told

    @staticmethod
    def follows(settings: FollowerSettings) -> str | None:
        return settings.signal

    def follow(self, event: CommittedEvent) -> None:
        with self._told.open("a") as file:
            file.write(json.dumps(as_line(event)) + "\n")

    async def open(self) -> None:
        pass

    async def readings(self) -> AsyncIterator[Reading]:
        await asyncio.Event().wait()
        yield Reading("", {}, 0)  # type: ignore[arg-type] # not reached: an asynchronous generator has a yield

    async def close(self) -> None:
        pass


def as_line(event: CommittedEvent) -> dict[str, Any]:
    """An event as it stands in the file."""
    return event._asdict() | {"journal": event.journal.hex(), "data": data_to_json(event.data)}


def told(path: Path) -> list[dict[str, Any]]:
    """What was written down so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def load_with_follower(name: str) -> Any:
    """Every driver that there is, and this one."""
    return Follower if name == "follower" else load_driver(name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="")
    options = parser.parse_args()
    edge.device.config.load_driver = edge.device.drivers.load_driver = load_with_follower  # type: ignore[attr-defined] # not exported there
    config = load_gateway_config(options.config)
    run_until_signal(lambda stop: run_gateway(config, stop, step=KillAt(options.kill_at)))


if __name__ == "__main__":
    main()
