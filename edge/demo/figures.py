"""The demo's figures, all measured: journal and ledger log, read beside their owners; health; the validator."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge.journal.reader import JournalReader
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import GATEWAY_PREFIX
from ledger_sync.proof.report import data_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.journal.reader import Batch

    from .places import Places
    from .processes import Processes
    from .validator import TappingValidator
    from .watch import GatewayWatch

_RECENT = 400
"""Taps over which the latency is told: the last 10 s."""
_NEWEST = 120
"""Events among which each device's newest reading is looked for: about 3 s."""
DEVICE_HEALTH = "device.health"


class Spread(NamedTuple):
    """Median and 99th percentile, in ms."""

    p50: float
    p99: float


class Count(NamedTuple):
    """Events, and the batches (or entries of the log) that hold them."""

    events: int
    batches: int


_NOTHING = Count(0, 0)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How many events have come how far. `readings` counts what came from wires, a tap that was sent again too."""

    readings: int = 0
    committed: int = 0
    batched: Count = _NOTHING
    anchored: Count = _NOTHING
    receipted: Count = _NOTHING
    by_device: Mapping[str, int] = field(default_factory=dict)
    receipt_wait: Spread | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at everything: processes, devices (state and newest reading, by id), taps, and the pipeline."""

    up: Mapping[str, bool] = field(default_factory=dict)
    device_states: Mapping[str, str] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)
    taps_sent: int = 0
    taps_acknowledged: int = 0
    taps_unanswered: int = 0
    tap_wait: Spread | None = None
    pipeline: Pipeline = field(default_factory=Pipeline)

    @property
    def waiting(self) -> int:
        """Number of sealed batches without a receipt."""
        return self.pipeline.batched.batches - self.pipeline.receipted.batches

    @property
    def is_at_rest(self) -> bool:
        """Whether every event has its receipt, and every tap its answer."""
        return 0 < self.pipeline.committed == self.pipeline.receipted.events and self.taps_unanswered == 0


def spread_ms(waits_s: Sequence[float]) -> Spread | None:
    """Median and 99th percentile (nearest rank) of times in s; None of no times."""
    if not waits_s:
        return None
    ordered = sorted(waits_s)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] * 1000 for share in (0.5, 0.99))
    return Spread(p50, p99)


class Sampler:
    """Takes the figures. `sample` reads files, so it is called in a worker thread."""

    def __init__(self, places: Places, processes: Processes, validator: TappingValidator, watch: GatewayWatch) -> None:
        self._places = places
        self._processes = processes
        self._validator = validator
        self._watch = watch
        self._reading = threading.Lock()
        self._reader: JournalReader | None = None
        self._newest: dict[str, str] = {}
        self.receipt_waits_s: list[float] = []
        """From sealed to receipted, of each receipted batch, oldest batch first."""

    def close(self) -> None:
        """Close the journal, once a look that goes on has ended."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()

    def sample(self) -> Figures:
        """Look at everything. Raises JournalError, LedgerError."""
        with self._reading:
            pipeline = self._pipeline()
        validator, processes = self._validator, self._processes
        return Figures(
            up={one.name: one.is_up for one in (processes.broker, processes.ledger, processes.gateway)},
            device_states=dict(self._watch.devices) if self._watch.is_connected else {},
            newest=dict(self._newest),
            taps_acknowledged=len(validator.acknowledged),
            taps_sent=len(validator.sent),
            taps_unanswered=validator.unanswered,
            tap_wait=spread_ms(validator.tap_waits_s[-_RECENT:]),
            pipeline=pipeline,
        )

    def _pipeline(self) -> Pipeline:
        """From the pipeline's end to its beginning, so that no stage shows more than the one before it."""
        if self._reader is None:
            if not self._places.journal.exists():
                return Pipeline()
            self._reader = JournalReader(self._places.journal)
        reader = self._reader
        receipted = [batch for batch in reader.batches() if batch.receipt is not None]
        self.receipt_waits_s = [((batch.answered_us or 0) - batch.sealed_us) / 1e6 for batch in receipted]
        anchored = self._anchored(reader.id)
        batched = _count(reader.batches())
        by_device = reader.counts("device")
        committed = sum(by_device.values())
        self._look_at_newest(reader, committed)
        # What is in the journal was read, even if health did not live to tell of it.
        readings = max(self._watch.readings_heard, _readings_in(reader))
        spread = spread_ms(self.receipt_waits_s)
        return Pipeline(readings, committed, batched, anchored, _count(receipted), by_device, spread)

    def _anchored(self, journal: bytes) -> Count:
        gateways = ledger_status(self._places.ledger)["gateways"]
        head = gateways.get(self._places.gateway.place.gateway, {}).get(journal.hex())
        return Count(head["next_sequence"] - 1, head["batch"]) if head else _NOTHING

    def _look_at_newest(self, reader: JournalReader, last: int) -> None:
        for _, statement in reader.statements(max(1, last - _NEWEST), _NEWEST + 1):
            event = parse_event(statement)
            if event.type != DEVICE_HEALTH:
                self._newest[event.device] = _in_words(event.type, data_to_json(event.data))


def _count(batches: Iterable[Batch]) -> Count:
    counts = [batch.count for batch in batches]
    return Count(sum(counts), len(counts))


def _readings_in(reader: JournalReader) -> int:
    """Number of events that came from a device's wire, not from the gateway itself."""
    by_type = reader.counts("type")
    return sum(
        count for name, count in by_type.items() if not name.startswith(GATEWAY_PREFIX) and name != DEVICE_HEALTH
    )


def _in_words(event_type: str, data: Mapping[str, object]) -> str:
    registers = data.get("registers")
    if isinstance(registers, list) and registers:
        return "{obis} {value} {unit}".format_map(registers[0])
    if event_type == "fare.tap":
        return "tap {direction}, zone {zone}".format_map(data)
    return event_type
