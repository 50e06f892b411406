"""Register tables: what a meter model holds at which Modbus address, as data (`modbus_tables/*.toml`)."""

from __future__ import annotations

import math
import re
import struct
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any

from devices.meter.modbus_frame import REGISTERS_MAX, RegisterRead
from ledger_sync.proof.settings import Problems, SettingsError, load_toml, read_settings, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MODELS = ("abb-b23", "em340", "sdm120", "sdm630")
"""The models whose tables come with Wayside."""

_FORMATS = {
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
    "float32": ">f",
}
_OBIS = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}")
_SCALE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_SERIAL = re.compile(r"[\x21-\x7e]{2,64}")
_FLOAT32_DIGITS = range(6, 10)  # 6 decimal digits always survive a float32, 9 always tell it from its neighbours
_WORD_BYTES = 2


def _check_obis(obis: str) -> str | None:
    return None if _OBIS.fullmatch(obis) else f"is {obis!r}; must look like 1-0:1.8.0"


def _parse_scale(raw: Any) -> Decimal:
    if not isinstance(raw, str) or not _SCALE.fullmatch(raw):
        raise ValueError(f'is {raw!r}; must be a decimal as text, such as "0.01"')
    return Decimal(raw)


def _parse_absent(raw: Any) -> bytes:
    if not isinstance(raw, str):
        raise ValueError("must be text: the registers as hexadecimal digits")  # noqa: TRY004 - one kind of error
    return bytes.fromhex(raw)


@dataclass(frozen=True)
class TableRegister:
    """One quantity: `scale` times the number in its 16-bit registers gives the value in `unit`."""

    obis: str = setting(doc="OBIS code A-B:C.D.E", check=_check_obis)
    address: int = setting(doc="0-based, as on the wire", minimum=0, maximum=0xFFFF)
    type: str = setting(doc="how the number is held", choices=tuple(_FORMATS))
    unit: str = setting(doc="unit of the value", minimum=1, maximum=16)
    function: int = setting(4, doc="3 (holding registers) or 4 (input registers)", minimum=3, maximum=4)
    scale: Decimal = setting(Decimal(1), doc="decimal text", parse=_parse_scale)
    word_order: str = setting("high first", doc="of the 16-bit words", choices=("high first", "low first"))
    absent: bytes | None = setting(None, doc="what stands for a quantity not measured, in hex", parse=_parse_absent)

    @property
    def read(self) -> RegisterRead:
        """A read of it alone."""
        return RegisterRead(self.function, self.address, struct.calcsize(_FORMATS[self.type]) // _WORD_BYTES)

    def value(self, data: bytes) -> Decimal | None:
        """The exact value in the registers' bytes, None if the meter does not measure it.

        Of an IEEE float32 that is the shortest decimal that reads back as the same float32, at 6 digits or more.
        Raises ValueError for NaN and infinity.
        """
        if data == self.absent:
            return None
        if self.word_order == "low first":
            data = b"".join(data[at : at + _WORD_BYTES] for at in range(len(data) - _WORD_BYTES, -1, -_WORD_BYTES))
        (number,) = struct.unpack(_FORMATS[self.type], data)
        exact = shortest_decimal(number) if self.type == "float32" else Decimal(number)
        return exact if self.scale == 1 else exact * self.scale


@dataclass(frozen=True)
class SerialNumber:
    """Where the meter holds its serial number."""

    address: int = setting(doc="0-based, as on the wire", minimum=0, maximum=0xFFFF)
    function: int = setting(3, doc="3 or 4", minimum=3, maximum=4)
    count: int = setting(2, doc="16-bit registers", minimum=1, maximum=32)
    type: str = setting("number", doc="unsigned, or two characters a register", choices=("number", "text"))

    @property
    def read(self) -> RegisterRead:
        """How it is read."""
        return RegisterRead(self.function, self.address, self.count)

    def text(self, data: bytes) -> str | None:
        """The serial number as text; None if there is none in the registers' bytes."""
        if self.type == "number":
            number = int.from_bytes(data, "big")
            return str(number) if number else None
        text = data.decode("latin-1").replace("\0", "").strip()
        return text if _SERIAL.fullmatch(text) else None


@dataclass(frozen=True)
class RegisterTable:
    """What one model of meter holds. `source` names the maker's document."""

    source: str = setting(doc="the maker's document", minimum=1)
    register: tuple[TableRegister, ...] = setting(doc="its quantities")
    serial: SerialNumber | None = setting(None, doc="its serial number")
    request_registers_max: int = setting(REGISTERS_MAX, doc="most registers in a request", minimum=4, maximum=125)
    gap_registers_max: int = setting(0, doc="most unwanted registers read along", minimum=0, maximum=121)


def load_model(model: str) -> RegisterTable:
    """The table of one of `MODELS`."""
    text = (resources.files("devices.meter") / "modbus_tables" / f"{model}.toml").read_text(encoding="utf-8")
    return _table(tomllib.loads(text), model)


def load_table(path: Path) -> RegisterTable:
    """A table of one's own. Raises SettingsError with every mistake in it."""
    return _table(load_toml(path), str(path))


def plan_reads(registers: Iterable[TableRegister], table: RegisterTable) -> tuple[RegisterRead, ...]:
    """As few reads as the meter's limits allow, each register whole in one of them."""
    reads: list[RegisterRead] = []
    for one in sorted((register.read for register in registers), key=lambda read: (read.function, read.address)):
        if reads and (joined := _joined(reads[-1], one, table)) is not None:
            reads[-1] = joined
        else:
            reads.append(one)
    return tuple(reads)


def shortest_decimal(number: float) -> Decimal:
    """The shortest decimal, at 6 digits or more, that is this IEEE float32. Raises ValueError for NaN and infinity."""
    if not math.isfinite(number):
        raise ValueError(f"{number} is no measured value")
    wire = struct.pack(">f", number)
    shortest = next(text for digits in _FLOAT32_DIGITS if _float32(text := f"{number:.{digits}g}") == wire)
    return Decimal(shortest)


def _float32(text: str) -> bytes | None:
    try:
        return struct.pack(">f", float(text))
    except OverflowError:  # the largest float32, rounded up to 6 digits, is none any more
        return None


def _joined(before: RegisterRead, one: RegisterRead, table: RegisterTable) -> RegisterRead | None:
    end = before.address + before.count
    count = max(end, one.address + one.count) - before.address
    if (
        one.function != before.function
        or one.address - end > table.gap_registers_max
        or count > table.request_registers_max
    ):
        return None
    return RegisterRead(before.function, before.address, count)


def _table(raw: Mapping[str, Any], source: str) -> RegisterTable:
    problems = Problems()
    table = read_settings(RegisterTable, raw, problems)
    if table is None:
        raise SettingsError(source, tuple(problems))
    return table
