"""What every simulated device is to the place that it stands in, and the truth that it tells beside its wire."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TextIO

from .faults import FaultRates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """A device's own clock: it began at `start` (aware), runs `scale` times as fast as ours, and `drift_ppm` wrong."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    scale: float = 1.0
    drift_ppm: float = 0.0
    began_s: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The device's time, aware (UTC)."""
        passed_s = (time.monotonic() - self.began_s) * self.scale * (1 + self.drift_ppm / 1_000_000)
        return self.start + timedelta(seconds=passed_s)


@dataclass(frozen=True, slots=True)
class Placement:
    """What a place gives one device. `interval_s`: between two things it says, in its own (scaled) time.

    `folder`: where its ports, links and files lie. `options`: what the scenario says for this kind alone, such as
    `broker` (a URL) for devices that speak MQTT.
    """

    id: str
    seed: int
    folder: Path
    interval_s: float = 1.0
    clock: DeviceClock = field(default_factory=DeviceClock)
    faults: FaultRates = field(default_factory=FaultRates)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def real_interval_s(self) -> float:
        """`interval_s` in our time."""
        return self.interval_s / self.clock.scale


class Truth:
    """What devices really said, one JSON object a line, flushed at once; nothing without a file.

    A row is `{"device", "number" (from 1 per device), "at" (UTC seconds), "type", "data", "sure"}`; `data` as
    `wayside journal events --json` shows it. `sure` is false while nobody knows whether it reached the gateway whole
    (damaged, cut off, unanswered): it may then be missing from the journal. A later row `{"device", "number", "sure":
    true}` says that it was heard after all, with `"kept": true` by a broker that keeps it for a gateway, with
    `"acknowledged": true` by the gateway, which answered that it has it.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._numbers: dict[str, int] = {}

    def add(self, device: str, kind: str, data: Mapping[str, Any], *, sure: bool) -> int:
        """A device says something of the event type `kind`; gives its number."""
        number = self._numbers[device] = self._numbers.get(device, 0) + 1
        self._write(
            {"device": device, "number": number, "at": time.time(), "type": kind, "data": dict(data), "sure": sure}
        )
        return number

    def heard(self, device: str, number: int) -> None:
        """It went over the wire whole."""
        self._write({"device": device, "number": number, "sure": True})

    def kept(self, device: str, number: int) -> None:
        """A broker answered that it keeps it, for a gateway that has a session there."""
        self._write({"device": device, "number": number, "sure": True, "kept": True})

    def acknowledged(self, device: str, number: int) -> None:
        """The gateway answered that it has it."""
        self._write({"device": device, "number": number, "sure": True, "acknowledged": True})

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


class SimulatedDevice(Protocol):
    """A device on its own real transport (pseudo-terminal, socket, broker, file). Same seed, same behaviour."""

    kind: ClassVar[str]
    """Its name in scenarios and on the command line, such as `modbus-meter`."""

    def __init__(self, placement: Placement, truth: Truth) -> None:
        """Make it; opens nothing."""

    async def start(self) -> None:
        """Open its transport, so that a gateway can be pointed at it."""

    def settings(self) -> dict[str, Any]:
        """The keys of the `[[device]]` table (all but `id`) by which a gateway reads it; after `start`."""

    async def run(self) -> None:
        """Behave like the device until cancelled; closes the transport at the end."""
