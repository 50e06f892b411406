"""M-Bus application layer: the user data of a frame in, the meter's records out (EN 13757-3, mode 1).

CI 72h: header of 12 bytes and records of variable structure. CI 73h: the fixed structure of two counters
(EN 13757-3:2004). CI 70h: an error that the meter reports. Sans-I/O; any bytes give a telegram or MBusError.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

from devices.meter import mbus_value as decode
from devices.meter.mbus_fixed import fixed_counters
from devices.meter.mbus_quantity import PLAIN_TEXT, Coding, Quantity, quantity_of

ERROR_CI, VARIABLE_CI, FIXED_CI = 0x70, 0x72, 0x73
_OTHER_CI = {
    0x71: "an alarm",
    0x76: "variable data with the most significant byte first (mode 2)",
    0x77: "fixed data with the most significant byte first (mode 2)",
    0x78: "data without a header",
    0x7A: "data with a short header",
}
_HEADER_BYTES, _FIXED_BYTES = 12, 16

_EXTENSION, _DATA_FIELD, _SPECIAL = 0x80, 0x0F, 0x0F
_MANUFACTURER, _MORE_FOLLOWS, _FILLER = 0x0F, 0x1F, 0x2F
_DIFES_MAX = _VIFES_MAX = 10

# Security modes of the configuration field that stand for encrypted records (EN 13757-7). Meters from
# before that standard send anything there.
_ENCRYPTION_MODES = frozenset({2, 3, 5, 7, 8, 9, 10, 13})
_DECRYPTED = b"\x2f\x2f"

_APPLICATION_ERRORS = (
    "unspecified error",
    "unimplemented CI field",
    "buffer too long",
    "too many records",
    "premature end of record",
    "more than 10 DIFEs",
    "more than 10 VIFEs",
    "reserved",
    "application busy",
    "too many readouts",
)


class MBusError(Exception):
    """User data that is no readable telegram. The message is one sentence fragment without readings."""


class Function(enum.Enum):
    """What a value is of its quantity (bits 4 and 5 of a DIF)."""

    INSTANTANEOUS = 0
    MAXIMUM = 1
    MINIMUM = 2
    ERROR_STATE = 3


@dataclass(frozen=True, slots=True)
class Header:
    """Who says it. `identification` has 8 hexadecimal digits, mostly decimal ones.

    `manufacturer` (three letters) and `version` are None in the fixed structure, which tells `medium` by a code of its
    own, given here as the code of the variable structure.
    """

    identification: str
    manufacturer: str | None
    version: int | None
    medium: int
    access_number: int
    status: int


@dataclass(frozen=True, slots=True)
class Record:
    """One value. A number is exact: the integer of the wire, scaled by what the VIF says."""

    function: Function
    storage: int
    tariff: int
    subunit: int
    quantity: Quantity
    value: decode.Value


@dataclass(frozen=True, slots=True)
class Telegram:
    """One frame's user data.

    `manufacturer_data`: what follows DIF 0Fh or 1Fh, None without either. `more_follow`: DIF 1Fh asks for a further
    frame. `problem`: why the records after the last one here cannot be read; empty when all were.
    """

    header: Header
    records: tuple[Record, ...]
    manufacturer_data: bytes | None = None
    more_follow: bool = False
    problem: str = ""


def parse_telegram(control_information: int, data: bytes) -> Telegram:
    """The telegram in a frame's user data after the CI field. Raises MBusError."""
    if control_information == ERROR_CI:
        code = data[0] if data else 0
        known = code < len(_APPLICATION_ERRORS)
        raise MBusError(f"the meter reports: {_APPLICATION_ERRORS[code] if known else f'error {code}'}")
    if control_information == FIXED_CI:
        return _fixed(data)
    if control_information != VARIABLE_CI:
        what = _OTHER_CI.get(control_information, f"CI field {control_information:02X}h")
        raise MBusError(f"{what}, which this driver does not read")
    if len(data) < _HEADER_BYTES:
        raise MBusError("the header is cut off")
    header = Header(_hex(data[:4]), _manufacturer(data[4:6]), data[6], data[7], data[8], data[9])
    body = data[_HEADER_BYTES:]
    if data[11] & 0x1F in _ENCRYPTION_MODES and body and not body.startswith(_DECRYPTED):
        raise MBusError(f"the records are encrypted (security mode {data[11] & 0x1F}); have the meter send them plain")
    return _variable(header, body)


def _hex(identification: bytes) -> str:
    return identification[::-1].hex().upper()


def _manufacturer(raw: bytes) -> str:
    """Three letters of five bits each, A is 1 (EN 13757-7)."""
    code = int.from_bytes(raw, "little")
    return "".join(chr(64 + (code >> shift & 0x1F)) for shift in (10, 5, 0))


def _fixed(data: bytes) -> Telegram:
    if len(data) != _FIXED_BYTES:
        raise MBusError(f"fixed data of {len(data)} bytes instead of {_FIXED_BYTES}")
    medium, counters = fixed_counters(data)
    header = Header(_hex(data[:4]), None, None, medium, data[4], data[5])
    records = (
        Record(Function.INSTANTANEOUS, counter.storage, 0, 0, counter.quantity, counter.value) for counter in counters
    )
    return Telegram(header, tuple(records))


class _CutError(Exception):
    """The records end within one, or one of them has a length that nobody knows."""


class _Reader:
    """Takes bytes from the front; raises _CutError where there are too few."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def __bool__(self) -> bool:
        return self.position < len(self.data)

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise _CutError(f"the records are cut off at byte {self.position}")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def extensions(self, first: int, at_most: int, what: str) -> bytes:
        """The bytes that follow `first` for as long as bit 7 says so."""
        found = bytearray()
        last = first
        while last & _EXTENSION:
            if len(found) == at_most:
                raise _CutError(f"more than {at_most} {what} at byte {self.position}")
            last = self.byte()
            found.append(last)
        return bytes(found)


def _variable(header: Header, body: bytes) -> Telegram:
    reader = _Reader(body)
    records: list[Record] = []
    try:
        while reader:
            dif = reader.byte()
            if dif in (_MANUFACTURER, _MORE_FOLLOWS):
                return Telegram(header, tuple(records), body[reader.position :], dif == _MORE_FOLLOWS)
            if dif != _FILLER:
                records.append(_record(dif, reader))
    except _CutError as cut:
        return Telegram(header, tuple(records), problem=str(cut))
    return Telegram(header, tuple(records))


def _record(dif: int, reader: _Reader) -> Record:
    if dif & _DATA_FIELD == _SPECIAL:
        raise _CutError(f"a special function (DIF {dif:02X}h) before byte {reader.position}, whose length nobody knows")
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for place, dife in enumerate(reader.extensions(dif, _DIFES_MAX, "DIFEs")):
        storage |= (dife & 0x0F) << 1 + 4 * place
        tariff |= (dife >> 4 & 3) << 2 * place
        subunit |= (dife >> 6 & 1) << place
    vif = reader.byte()
    text = None
    if vif & ~_EXTENSION == PLAIN_TEXT:
        text = reader.take(reader.byte())[::-1].decode("latin-1")
    quantity = quantity_of(vif, reader.extensions(vif, _VIFES_MAX, "VIFEs"), text)
    found = _value(dif & _DATA_FIELD, quantity, reader)
    return Record(Function(dif >> 4 & 3), storage, tariff, subunit, quantity, found)


def _value(data_field: int, quantity: Quantity, reader: _Reader) -> decode.Value:
    if data_field in decode.NO_DATA:
        return None
    if data_field == decode.VARIABLE:
        length = reader.byte()
        size = decode.variable_size(length)
        if size is None:
            raise _CutError(f"variable data of the reserved length {length:02X}h at byte {reader.position}")
        found: decode.Value = decode.variable(length, reader.take(size))
    elif data_field == decode.REAL:
        found = decode.real(reader.take(decode.REAL_BYTES))
    elif data_field in decode.BCD_SIZES:
        found = decode.bcd(reader.take(decode.BCD_SIZES[data_field]))
    else:
        raw = reader.take(decode.BINARY_SIZES[data_field])
        if quantity.coding is Coding.TIME and len(raw) in decode.MOMENT_SIZES:
            return decode.moment(raw)
        found = decode.integer(raw, signed=quantity.coding is not Coding.BITS)
    if isinstance(found, Decimal) and quantity.coding is Coding.NUMBER:
        return decode.scaled(found, quantity.exponent) + quantity.offset
    return found
