"""DLMS data-notification, as meters push it (IEC 62056-5-3, clause on DataNotification): the message and its time."""

from __future__ import annotations

from dataclasses import dataclass

from devices.meter.dlms_data import DataReader, DlmsError, Value

_LLC = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")
_DATA_NOTIFICATION = 0x0F
_OCTETS_TAG = 0x09
_TIME_BYTES = 12
_INVOKE_ID_BYTES = 4

_UNREAD = {
    0x5F: "it is encrypted (glo-ciphering)",
    0xC2: "it is an event notification",
    0xDB: "it is encrypted (general-glo-ciphering); have the net operator turn encryption off",
    0xDC: "it is encrypted (general-ded-ciphering); have the net operator turn encryption off",
    0xDD: "it is encrypted (general-ciphering); have the net operator turn encryption off",
    0xDF: "it is signed (general-signing)",
    0xE0: "it comes in general-block-transfer",
}

_UNSPECIFIED = 0xFF
_YEAR_MAX, _TWO_DIGITS_MAX, _DEVIATION_MAX = 9999, 99, 720
_MINUTES_AN_HOUR = 60


@dataclass(frozen=True, slots=True)
class Notification:
    """`time`: 12 bytes of date-time, None if the message has none; `body`: what the meter says."""

    time: bytes | None
    body: Value


def parse_notification(message: bytes) -> Notification:
    """The notification in the information of an HDLC frame. Raises DlmsError."""
    start = len(_LLC[0]) if message.startswith(_LLC) else 0
    reader = DataReader(message, start)
    tag = reader.byte()
    if tag != _DATA_NOTIFICATION:
        raise DlmsError(_UNREAD.get(tag, f"a message of the type {tag:02X}h, which no meter pushes"))
    reader.take(_INVOKE_ID_BYTES)
    time = _time(reader)
    body = reader.value()
    if not reader.at_end():
        raise DlmsError(f"bytes after the data, from byte {reader.position} on")
    return Notification(time, body)


def _time(reader: DataReader) -> bytes | None:
    """An OPTIONAL octet string without its tag; Kaifa sends the tag too."""
    size = reader.byte()
    if size == _OCTETS_TAG:
        size = reader.byte()
    if size not in (0, _TIME_BYTES):
        raise DlmsError(f"a time of {size} bytes")
    return reader.take(size) or None


def is_time(value: object) -> bool:
    """Whether a value may be a date-time (IEC 62056-6-2, clause on date and time formats)."""
    return isinstance(value, bytes) and len(value) == _TIME_BYTES


def time_text(raw: bytes) -> str:
    """A date-time of 12 bytes as text of at most 32 characters, in the meter's own numbers.

    `2019-12-16T07:59:40`, then the hundredths if told, then the deviation as the offset that ISO 8601 writes (DLMS
    counts minutes from local time to UTC, -720 to 720: -60 is +01:00), then ` s` and the clock status in hexadecimal
    digits if it is not 00 (valid, no summer time). `*` stands for what the meter leaves unspecified.
    """
    year, deviation = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[9:11], "big", signed=True)
    month, day, hour, minute, second, hundredths, status = raw[2], raw[3], raw[5], raw[6], raw[7], raw[8], raw[11]
    date = f"{f'{year:04}' if year <= _YEAR_MAX else '****'}-{_two(month)}-{_two(day)}"
    fraction = f".{hundredths:02}" if hundredths <= _TWO_DIGITS_MAX else ""
    status_text = "" if status in (0, _UNSPECIFIED) else f" s{status:02x}"
    return f"{date}T{_two(hour)}:{_two(minute)}:{_two(second)}{fraction}{_offset(deviation)}{status_text}"


def _two(number: int) -> str:
    return f"{number:02}" if number <= _TWO_DIGITS_MAX else "**"


def _offset(deviation: int) -> str:
    if abs(deviation) > _DEVIATION_MAX:  # 8000h: unspecified
        return ""
    hours, minutes = divmod(abs(deviation), _MINUTES_AN_HOUR)
    return f"{'-' if deviation > 0 else '+'}{hours:02}:{minutes:02}"
