"""SML files: bytes in, meter lists out (SML 1.04, clauses 5 and 6: binary coding and GetList.Res).

An item starts with a type-length byte: type in bits 4 to 6, length in bits 0 to 3 (with the byte itself, except in a
list), bit 7 says that another such byte adds four more bits of length.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.meter.dlms_units import DLMS_UNITS
from devices.meter.sml_transport import checksum_fits

if TYPE_CHECKING:
    from devices.driver import WireCounters

_OCTETS, _BOOLEAN, _SIGNED, _UNSIGNED, _LIST = 0x00, 0x40, 0x50, 0x60, 0x70
_MORE, _TYPE, _LENGTH = 0x80, 0x70, 0x0F
_END_OF_MESSAGE = 0x00
_DEPTH_MAX = 16
_INTEGER_BYTES_MAX = 8

_MESSAGE_ITEMS = 6
_GET_LIST_RESPONSE = 0x0701
_LIST_ITEMS = 7
_OBIS_BYTES = 6
_SCALERS = range(-128, 128)

_SERIAL_NUMBER = bytes((1, 0, 96, 1, 0, 255))
_POWER = bytes((1, 0, 16, 7, 0, 255))
_DZG = b"\x0a\x01DZG"
# DZG's DVS74 of these serial numbers send a positive power of one or two bytes with the type of a signed number:
# 0x8b28 is 356.24 W, not -299.12 W. Negative ones always have four bytes. Mended by DZG from 60000000 on.
_DZG_UNSIGNED_POWER = (range(42_000_000, 49_000_000), range(55_000_000, 59_000_000))
_DZG_SHORT_BYTES_MAX = 2


class SmlError(Exception):
    """Bytes that are no SML: the file (or the rest of it) is refused."""


class Number(NamedTuple):
    """An integer and how it was written: bytes of it, and whether its type is signed."""

    value: int
    size: int
    signed: bool


class SmlLine(NamedTuple):
    """One entry of a meter's list.

    `obis` is `A-B:C.D.E*F`. A numeric `value` is exact: the integer of the wire times ten to the power of `scaler`
    (an exponent above 0 is multiplied out). `unit` is empty where the entry names none.
    """

    obis: str
    value: Decimal | bytes | bool
    scaler: int
    unit: str


@dataclass(frozen=True, slots=True)
class SmlList:
    """One SML_GetList.Res: the meter's server id, its clock (seconds index or timestamp), its lines in order."""

    server_id: bytes
    sensor_time: int | None
    lines: tuple[SmlLine, ...]


def parse_file(file: bytes, counters: WireCounters) -> list[SmlList]:
    """The lists in an SML file as `SmlTransport` gives it.

    A message whose own CRC is wrong, or an entry that is none, is counted in `errors` and left out. Where the coding
    itself is broken, the rest of the file is.
    """
    lists = []
    position = 0
    try:
        while position < len(file):
            if file[position] == _END_OF_MESSAGE:
                position += 1
                continue
            body, start, position = _message(file, position)
            if body is None:
                _count(counters, f"an SML message whose CRC is wrong, at byte {start}")
            elif body[0].value == _GET_LIST_RESPONSE:
                lists.append(_get_list_response(body[1], counters))
    except SmlError as error:
        _count(counters, f"a file that is no SML: {error}")
    return lists


def _count(counters: WireCounters, what: str) -> None:
    counters.errors += 1
    counters.last_error = what


def _message(file: bytes, start: int) -> tuple[list[Any] | None, int, int]:
    """The body [tag, content] of the message at `start` (None when its CRC is wrong), and where it ends."""
    if file[start] != _LIST | _MESSAGE_ITEMS:
        raise SmlError(f"no message at byte {start}")
    position = start + 1
    items = []
    for _ in range(4):
        item, position = _item(file, position, 1)
        items.append(item)
    crc, end = _item(file, position, 1)
    body = items[3]
    if not (isinstance(body, list) and len(body) == 2 and isinstance(body[0], Number) and isinstance(crc, Number)):  # noqa: PLR2004 - tag, content
        raise SmlError(f"a message without body or CRC at byte {start}")
    return body if checksum_fits(file[start:position], crc.value) else None, start, end


def _item(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    """The item at `position` and the position after it: None, bytes, bool, Number or list."""
    kind, length, begin = _type_and_length(data, position)
    if kind == _LIST:
        if depth >= _DEPTH_MAX:
            raise SmlError(f"nested too deeply at byte {position}")
        items = []
        for _ in range(length):
            item, begin = _item(data, begin, depth + 1)
            items.append(item)
        return items, begin
    size = length - (begin - position)
    end = begin + size
    if size < 0 or end > len(data):
        raise SmlError(f"an item of impossible length at byte {position}")
    raw = data[begin:end]
    if kind == _OCTETS:
        return raw or None, end
    if kind == _BOOLEAN and size == 1:
        return raw != b"\x00", end
    if kind in (_SIGNED, _UNSIGNED) and 1 <= size <= _INTEGER_BYTES_MAX:
        return Number(int.from_bytes(raw, "big", signed=kind == _SIGNED), size, kind == _SIGNED), end
    raise SmlError(f"an item of unknown type at byte {position}")


def _type_and_length(data: bytes, position: int) -> tuple[int, int, int]:
    """Type, length, and the position after the type-length bytes."""
    try:
        byte = data[position]
        kind, length = byte & _TYPE, byte & _LENGTH
        while byte & _MORE:
            position += 1
            byte = data[position]
            length = length << 4 | byte & _LENGTH
            if length > len(data):
                raise SmlError(f"an item longer than the file at byte {position}")
    except IndexError as error:
        raise SmlError("it ends within an item") from error
    return kind, length, position + 1


def _get_list_response(content: Any, counters: WireCounters) -> SmlList:
    if not isinstance(content, list) or len(content) != _LIST_ITEMS or not isinstance(content[4], list | None):
        raise SmlError("a GetList.Res of another shape")
    server_id = content[1] if isinstance(content[1], bytes) else b""
    entries = []
    serials = [server_id]
    for entry in content[4] or ():
        if isinstance(entry, list) and len(entry) == _LIST_ITEMS and _is_obis(entry[0]):
            entries.append(entry)
            if entry[0] == _SERIAL_NUMBER and isinstance(entry[5], bytes):
                serials.append(entry[5])
        else:
            _count(counters, "a list entry of another shape")
    unsigned_power = any(map(_sends_power_unsigned, serials))
    lines = [line for entry in entries if (line := _line(entry, unsigned_power=unsigned_power)) is not None]
    return SmlList(server_id, _sensor_time(content[3]), tuple(lines))


def _is_obis(name: Any) -> bool:
    return isinstance(name, bytes) and len(name) == _OBIS_BYTES


def _sends_power_unsigned(serial: bytes) -> bool:
    number = int.from_bytes(serial[len(_DZG) :], "big")
    return serial.startswith(_DZG) and any(number in numbers for numbers in _DZG_UNSIGNED_POWER)


def _line(entry: list[Any], *, unsigned_power: bool) -> SmlLine | None:
    """The line of an entry; None for one without value (a meter without PIN) or with a value that is a list."""
    name, _status, _time, unit, scaler, value, _signature = entry
    a, b, c, d, e, f = name
    obis = f"{a}-{b}:{c}.{d}.{e}*{f}"
    if isinstance(value, bytes | bool):
        return SmlLine(obis, value, 0, "")
    if not isinstance(value, Number):
        return None
    power = scaler.value if isinstance(scaler, Number) else 0
    if power not in _SCALERS:
        raise SmlError(f"{obis} has the scaler {power}, which is no Integer8")
    count = value.value
    if unsigned_power and name == _POWER and value.size <= _DZG_SHORT_BYTES_MAX:
        count %= 1 << 8 * value.size
    exact = Decimal(count * 10**power) if power > 0 else Decimal(count).scaleb(power)
    return SmlLine(obis, exact, power, DLMS_UNITS.get(unit.value, "") if isinstance(unit, Number) else "")


def _sensor_time(item: Any) -> int | None:
    """The number in an SML_Time: [choice, number]; [choice, [timestamp, offset, season]]; Holley: the number alone."""
    if isinstance(item, list) and len(item) == 2:  # noqa: PLR2004 - a choice and what was chosen
        item = item[1]
    if isinstance(item, list) and item:
        item = item[0]
    return item.value if isinstance(item, Number) else None
