"""Meters that speak Modbus, on RS-485 (RTU) or over TCP: asked in turn, or overheard while another master asks them."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Origin, WireCounters, WireRole
from devices.meter.modbus_bus import ModbusBus, ReadError
from devices.meter.modbus_sniffer import OverheardRead, ReadSniffer
from devices.meter.modbus_table import MODELS, RegisterTable, TableRegister, load_model, load_table, plan_reads
from devices.meter.registers import (
    Meter,
    Register,
    RegisterFilter,
    can_be_signed,
    meter_readings,
    registers_setting,
)
from devices.wire.line import check_line_port, is_tcp, line_at
from ledger_sync.proof.settings import SettingsError, parse_file, setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading
    from devices.meter.modbus_frame import RegisterRead

FAILED_POLLS_MAX = 3
_UNIT_MAX_SERIAL = 247
_OVERHEARD_MAX = 16
_METER_ID = re.compile(r"[\x21-\x7e]{1,64}")


def _check_meter_id(meter_id: str) -> str | None:
    return None if _METER_ID.fullmatch(meter_id) else "must be 1 to 64 printable ASCII characters without spaces"


@dataclass(frozen=True)
class ModbusSettings:
    """Keys of a `[[device]]` with `driver = "modbus"`."""

    port: str = setting(doc="a serial port, or tcp://host:502", check=check_line_port)
    unit: int = setting(1, doc="the meter's address, 1 to 247 (over TCP also 0 and 255)", minimum=0, maximum=255)
    model: str | None = setting(None, doc="the meter's model", choices=MODELS)
    table: Path | None = setting(None, doc="a register table of one's own", parse=parse_file)
    baudrate: int = setting(9600, doc="bit/s; of a serial port", minimum=1200, maximum=115200)
    parity: str = setting("N", doc="N, E or O; of a serial port", choices=("N", "E", "O"))
    poll_s: float = setting(10.0, doc="how often the meter is asked", minimum=0.1, maximum=86_400)
    timeout_s: float = setting(1.0, doc="how long one answer may take", minimum=0.05, maximum=10)
    meter_id: str | None = setting(None, doc="instead of the meter's serial number", check=_check_meter_id)
    registers: tuple[str, ...] = registers_setting()
    listen: bool = setting(default=False, doc="send nothing: overhear what another master reads")

    def __post_init__(self) -> None:
        if (self.model is None) == (self.table is None):
            raise ValueError(f"needs either `model` (one of {', '.join(MODELS)}) or `table` (a file)")
        over_tcp = is_tcp(self.port)
        if not over_tcp and not 1 <= self.unit <= _UNIT_MAX_SERIAL:
            raise ValueError(f"unit is {self.unit}; on a serial port it must be 1 to {_UNIT_MAX_SERIAL}")
        if self.listen and over_tcp:
            raise ValueError("`listen` is for a serial port: over TCP nobody else's answers can be heard")
        if self.listen and self.meter_id is None:
            raise ValueError("`listen` needs `meter_id`: the gateway may not ask the meter for its serial number")


class Modbus:
    """Driver of one meter; meters at the same port share it. `Addressed`."""

    Settings: ClassVar[type[ModbusSettings]] = ModbusSettings
    wire_role: WireRole = WireRole.SOLE_MASTER

    def __init__(self, device: str, settings: ModbusSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        if settings.listen:
            self.wire_role = WireRole.LISTEN_ONLY
        self._settings = settings
        self._vouched = ("none", Origin.UNPROTECTED) if is_tcp(settings.port) else ("crc", Origin.CHECKSUM)
        self._chosen = RegisterFilter(settings.registers)
        self._bus: ModbusBus | None = None
        self._listener: _Listener | None = None
        self._meter_id = settings.meter_id
        self._due_s = 0.0
        self._failed_polls = 0

    @staticmethod
    def address(settings: ModbusSettings) -> str:
        """The unit."""
        return f"unit {settings.unit}"

    async def open(self) -> None:
        """Read the register table, open the port or join those who have it open. Raises DeviceError."""
        await self.close()
        self._table = self._load()
        self._registers = tuple(one for one in self._table.register if self._chosen.matches(one.obis))
        if not self._registers:
            raise DeviceError(f"{self._place}: `registers` names none of the register table's; add one of them")
        if self._table.serial is None and self._settings.meter_id is None:
            raise DeviceError(f"{self._place}: the register table has no [serial]; set `meter_id`")
        self._reads = plan_reads(self._registers, self._table)
        self._bus = await self._join()
        # Behind a port that was closed there may be another meter.
        self._meter_id = self._settings.meter_id
        self._due_s = 0.0
        if self._settings.listen:
            self._listener = _Listener(ReadSniffer(self._settings.unit, self.counters), self.counters)
            self._bus.listen(self._listener)

    async def readings(self) -> AsyncIterator[Reading]:
        """One reading a poll. Raises DeviceError when the port is lost, or after three failed polls in a row."""
        while True:
            registers = await self._overhear() if self._settings.listen else await self._poll_when_due()
            assert self._meter_id is not None
            meter = Meter(self._meter_id, None, registers)
            for reading in meter_readings(meter, self._chosen, *self._vouched):
                self.counters.readings += 1
                yield reading

    async def close(self) -> None:
        """Leave the port; the last one closes it. Idempotent."""
        bus, self._bus = self._bus, None
        listener, self._listener = self._listener, None
        if bus is not None:
            if listener is not None:
                bus.stop_listening(listener)
            await bus.leave()

    @property
    def _place(self) -> str:
        return f"port {self._settings.port}, unit {self._settings.unit}"

    async def _join(self) -> ModbusBus:
        settings = self._settings
        line = line_at(settings.port, settings.baudrate, bytesize=8, parity=settings.parity)
        return await ModbusBus.join(line, settings.baudrate, parity=settings.parity, listen=settings.listen)

    def _opened(self) -> ModbusBus:
        if self._bus is None:
            raise DeviceError(f"{self._place}: is not open; open it first")
        return self._bus

    def _load(self) -> RegisterTable:
        if self._settings.model is not None:
            return load_model(self._settings.model)
        assert self._settings.table is not None
        try:
            return load_table(self._settings.table)
        except SettingsError as error:
            raise DeviceError(f"register table {'; '.join(str(error).splitlines())}") from error

    async def _poll_when_due(self) -> tuple[Register, ...]:
        loop = asyncio.get_running_loop()
        while True:
            bus = self._opened()
            await bus.rest(self._due_s - loop.time())
            self._due_s += self._settings.poll_s
            if self._due_s < loop.time():
                self._due_s = loop.time() + self._settings.poll_s
            try:
                registers = await self._poll(bus)
            except ReadError as error:
                self._count_failed_poll(error)
            else:
                self._failed_polls = 0
                return registers

    async def _poll(self, bus: ModbusBus) -> tuple[Register, ...]:
        if self._meter_id is None and self._table.serial is not None:
            data = await self._read(bus, self._table.serial.read)
            self._meter_id = self._table.serial.text(data)
            if self._meter_id is None:
                raise ReadError(f"{self._table.serial.read}: no serial number ({data.hex()}); set `meter_id`")
        values: dict[TableRegister, bytes] = {}
        for read in self._reads:
            values |= self._parts(read, await self._read(bus, read))
        return self._measured(values)

    async def _read(self, bus: ModbusBus, read: RegisterRead) -> bytes:
        return await bus.read_registers(self._settings.unit, read, self._settings.timeout_s, self.counters)

    def _parts(self, read: RegisterRead, data: bytes) -> dict[TableRegister, bytes]:
        return {one: part for one in self._registers if (part := read.part(data, one.read)) is not None}

    def _count_failed_poll(self, error: ReadError) -> None:
        self.counters.errors += 1
        self.counters.last_error = str(error)
        self._failed_polls += 1
        # It may be another meter that answers next.
        self._meter_id = self._settings.meter_id
        if self._failed_polls >= FAILED_POLLS_MAX:
            raise DeviceError(
                f"{self._place}: {self._failed_polls} polls failed in a row, the last one: {error}"
            ) from error

    async def _overhear(self) -> tuple[Register, ...]:
        """What the next polls of the bus's master told of all chosen registers together."""
        self._opened()
        assert self._listener is not None
        values: dict[TableRegister, bytes] = {}
        while len(values) < len(self._registers):
            heard = await self._listener.next()
            values |= self._parts(heard.read, heard.data)
        return self._measured(values)

    def _measured(self, values: dict[TableRegister, bytes]) -> tuple[Register, ...]:
        """The table's registers in its order; what is absent is left out, what cannot be signed also counted."""
        registers = []
        for one in self._registers:
            try:
                value = one.value(values[one])
            except ValueError as error:
                self._count_error(f"{one.obis}: {error}")
                continue
            if value is None:
                continue
            if can_be_signed(value):
                registers.append(Register(one.obis, value, one.unit))
            else:
                self._count_error(f"{one.obis} is out of the range that can be signed: {value}")
        return tuple(registers)

    def _count_error(self, what: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = what


class _Listener:
    """Overheard reads between the port and the one who records them; at most 16, the oldest go first."""

    def __init__(self, sniffer: ReadSniffer, counters: WireCounters) -> None:
        self._sniffer, self._counters = sniffer, counters
        self._heard: deque[OverheardRead] = deque()
        self._failure: DeviceError | None = None
        self._changed = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._heard.extend(self._sniffer.feed(data))
        while len(self._heard) > _OVERHEARD_MAX:
            self._heard.popleft()
            self._counters.errors += 1
            self._counters.last_error = "more was overheard than recorded in time; the oldest was dropped"
        self._changed.set()

    def fail(self, error: DeviceError) -> None:
        self._failure = error
        self._changed.set()

    async def next(self) -> OverheardRead:
        """Wait for the next one. Raises DeviceError when the port is lost."""
        while not self._heard:
            if self._failure is not None:
                raise DeviceError(str(self._failure))
            self._changed.clear()
            await self._changed.wait()
        return self._heard.popleft()
