"""A simulated Modbus meter, alone or on a bus with others."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import FaultRates, Faults

from .modbus_registers import MODELS, MeterRegisters
from .modbus_wire import SerialWire, TcpWire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devices.sim.device import Placement, Truth

TIMEOUT_S = 0.5
_REFUSED = 0x80
_READS = (3, 4)
_ILLEGAL_FUNCTION, _ILLEGAL_DATA_VALUE = 1, 3
_REGISTERS_MAX = 125


class ModbusMeter:
    """Kind `meter-modbus`.

    Options: `model` (`sdm630`), `unit` (1), `tcp` (false), and `bus`: meters of one folder with the same `bus` are
    units behind the same port. The truth is told a poll: once all quantities recorded by default have been read.
    """

    kind: ClassVar[str] = "meter-modbus"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._model = str(placement.options.get("model", "sdm630"))
        self._unit = int(placement.options.get("unit", 1))
        self._over_tcp = bool(placement.options.get("tcp"))
        self._registers = MeterRegisters(self._model, placement.seed)
        rates = placement.faults
        # TCP has checksums of its own: what goes wrong there is a cut connection or a late answer.
        self._faults = Faults(
            FaultRates(unplug=rates.unplug, slow_s=rates.slow_s) if self._over_tcp else rates, placement.seed
        )
        self._bus: _Bus | None = None
        self._read: set[str] = set()
        self._asked: set[str] = set()
        self._whole = True

    async def start(self) -> None:
        """Join the bus, or make it."""
        name = str(self._placement.options.get("bus", self._placement.id))
        self._bus = await _Bus.of(self._placement.folder / name, over_tcp=self._over_tcp)
        self._bus.wire.units[self._unit] = self

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        assert self._bus is not None, "not started"
        return {
            "driver": "modbus",
            "port": self._bus.wire.port,
            "unit": self._unit,
            "model": self._model,
            "poll_s": self._placement.real_interval_s,
            "timeout_s": TIMEOUT_S,
        }

    async def run(self) -> None:
        """Answer until cancelled; the bus goes with its last meter."""
        assert self._bus is not None, "not started"
        try:
            await asyncio.shield(self._bus.serving)
        finally:
            del self._bus.wire.units[self._unit]
            await self._bus.left()

    def answer(self, function: int, address: int, count: int) -> bytes:
        """The answer to a read, from the function code on."""
        self._asked = set()
        if function not in _READS:
            return bytes((function | _REFUSED, _ILLEGAL_FUNCTION))
        if not 1 <= count <= _REGISTERS_MAX:
            return bytes((function | _REFUSED, _ILLEGAL_DATA_VALUE))
        data = self._registers.read(function, address, count)
        if isinstance(data, int):
            return bytes((function | _REFUSED, data))
        self._asked = self._registers.quantities(function, address, count)
        return bytes((function, len(data))) + data

    async def send(self, frame: bytes, out: Callable[[bytes], int]) -> bool:
        """Send an answer with this meter's faults; gives whether the plug is pulled."""
        late_s = self._faults.late_s()
        await asyncio.sleep(late_s)
        damaged, whole = self._faults.apply(frame)
        whole = out(damaged) == len(damaged) and whole and late_s < TIMEOUT_S / 2
        unplugs = self._faults.unplugs()
        self._count(whole=whole and not unplugs)
        return unplugs

    def _count(self, *, whole: bool) -> None:
        """Registers stand still from the first answer of a poll to its last; a poll that begins anew was given up."""
        if self._asked & self._read:
            self._read, self._whole = set(), True
        self._read |= self._asked
        self._whole = self._whole and whole
        if self._read == set(MODELS[self._model].where):
            integrity = "none" if self._over_tcp else "crc"
            reading = self._registers.reading(integrity)
            self._truth.add(self._placement.id, "meter.reading", reading, sure=self._whole)
            self._read, self._whole = set(), True
            self._registers.step()


class _Bus:
    """A wire that is shared by meters in one event loop."""

    _by_link: ClassVar[dict[Path, _Bus]] = {}

    def __init__(self, link: Path, wire: SerialWire | TcpWire) -> None:
        self._link = link
        self.wire = wire
        self.serving = asyncio.create_task(wire.serve())

    @classmethod
    async def of(cls, link: Path, *, over_tcp: bool) -> _Bus:
        """The bus of this link, made by the first who asks."""
        if link not in cls._by_link:
            wire: SerialWire | TcpWire
            if over_tcp:
                wire = TcpWire()
                await wire.start()
            else:
                wire = SerialWire(link)
            cls._by_link[link] = cls(link, wire)
        return cls._by_link[link]

    async def left(self) -> None:
        """A meter is gone; with the last one the wire goes."""
        if not self.wire.units:
            self._by_link.pop(self._link, None)
            self.serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.serving
