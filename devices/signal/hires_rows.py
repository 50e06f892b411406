r"""Rows of a controller's high-resolution event log: bytes in, phase changes out (no I/O, no clock).

A CSV file with a header: time stamp (0.1 s, the controller's local time, mostly without zone), controller, event code,
parameter; columns in any order. Codes: Indiana Traffic Signal Hi Resolution Data Logger Enumerations (INDOT and Purdue
University, 2012). Whatever ends in `\n` is a row; the rest waits for its end, as the controller may still be writing.
"""

from __future__ import annotations

import csv
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.driver import WireCounters

ROW_BYTES_MAX = 1024
OCCURRENCES_MAX = 10_000

STATES = {
    1: ("vehicle", "green"),
    8: ("vehicle", "yellow"),
    10: ("vehicle", "red_clearance"),
    11: ("vehicle", "red"),
    21: ("pedestrian", "walk"),
    22: ("pedestrian", "pedestrian_clearance"),
    23: ("pedestrian", "dont_walk"),
    24: ("pedestrian", "dark"),
    61: ("overlap", "green"),
    62: ("overlap", "green"),
    63: ("overlap", "yellow"),
    64: ("overlap", "red_clearance"),
    65: ("overlap", "red"),
    66: ("overlap", "dark"),
}
"""The state that begins with an event: kind of signal, and state. 62 is an overlap's trailing green."""

_ENDS = {7: "green", 9: "yellow", 11: "red_clearance"}
_COLUMNS = {
    "timestamp": "time",
    "deviceid": "controller",
    "signalid": "controller",
    "locationid": "controller",
    "locationidentifier": "controller",
    "eventid": "event",
    "eventcode": "event",
    "parameter": "parameter",
    "eventparam": "parameter",
}
_NEEDED = {"time", "event", "parameter"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CODE = re.compile(r"[0-9]{1,6}")
_CONTROLLER = re.compile(r"[\x20-\x7e]{1,64}")
_TIME_CHARACTERS_MAX = 40
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,6})\d*)?(?: ([AP])M)?")
_NOON = 12


@dataclass(frozen=True, slots=True)
class PhaseEvent:
    """A row at which a state begins. `occurrence` counts equal rows of the log, from 1; `time` is the row's text."""

    controller: str
    time: str
    event: int
    parameter: int
    occurrence: int

    @property
    def identity(self) -> str:
        """What the same row is told again by."""
        return f"{self.controller}/{self.time}/{self.event}/{self.parameter}/{self.occurrence}"


class RowReader:
    """Reads one log from its first byte. Holds less than 1 KiB of it, and at most 10,000 rows to know equal ones by.

    `controller` names the controller where the log does not.
    """

    def __init__(self, controller: str, counters: WireCounters) -> None:
        self._controller = controller
        self._counters = counters
        self._rest = bytearray()
        self._skipping = False
        self._at_start = True
        self._columns: dict[str, int] | None = None
        self._width = 0
        self._newest: datetime | None = None
        self._occurrences: OrderedDict[tuple[str, str, int, int], int] = OrderedDict()
        self._states: dict[tuple[str, int], str] = {}

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of a row wait for the rest of it."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[PhaseEvent]:
        """Take the next bytes, give the phase events whose rows end in them, in the order of the log.

        Errors counted: rows that are none, stamps that go back, ends of a state that never began.
        """
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._extend(piece)
            row, self._rest = bytes(self._rest), bytearray()
            skipped, self._skipping = self._skipping, False
            if self._at_start:
                row, self._at_start = row.removeprefix(_BYTE_ORDER_MARK), False
            if row.strip() and not skipped:
                found = self._event(row)
                if found is not None:
                    yield found
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if self._skipping:
            self._counters.bytes_dropped += len(piece)
            return
        self._rest += piece
        if len(self._rest) > ROW_BYTES_MAX:
            self._counters.bytes_dropped += len(self._rest)
            self._rest.clear()
            self._skipping = True
            self._count_error(f"a row is longer than {ROW_BYTES_MAX} bytes")

    def _event(self, row: bytes) -> PhaseEvent | None:
        fields = _fields(row)
        if fields is None:
            self._count_error("a row is no text of comma-separated fields")
            return None
        columns = _header(fields)
        if columns is not None:
            self._columns, self._width = columns, len(fields)
            return None
        if self._columns is None:
            self._count_error("a row stands before any header that names time stamp, event and parameter")
            return None
        if len(fields) != self._width:
            self._count_error(f"a row has {len(fields)} fields, its header {self._width}")
            return None
        return self._read(fields, self._columns)

    def _read(self, fields: list[str], columns: dict[str, int]) -> PhaseEvent | None:
        time, event, parameter = (fields[columns[name]] for name in ("time", "event", "parameter"))
        controller = fields[columns["controller"]] if "controller" in columns else self._controller
        moment = _moment(time)
        usable = _CODE.fullmatch(event) and _CODE.fullmatch(parameter) and _CONTROLLER.fullmatch(controller)
        if moment is None or not usable:
            self._count_error("a row's time stamp, controller, event or parameter cannot be read")
            return None
        if self._newest is not None and moment < self._newest:
            self._count_error(f"the log's time goes back to {time}")
        self._newest = moment
        self._check_end(controller, int(event), int(parameter))
        if int(event) not in STATES:
            return None
        key = (controller, time, int(event), int(parameter))
        occurrence = self._occurrences.get(key, 0) + 1
        self._occurrences[key] = occurrence
        if len(self._occurrences) > OCCURRENCES_MAX:
            self._occurrences.popitem(last=False)
        return PhaseEvent(*key, occurrence)

    def _check_end(self, controller: str, event: int, phase: int) -> None:
        """A state that ends had begun, or rows are missing; only for vehicle phases, whose ends are logged."""
        known = self._states.get((controller, phase))
        expected = _ENDS.get(event)
        if expected is not None and known is not None and known != expected:
            self._count_error(f"phase {phase}: event {event} ends {expected}, but it was {known}; rows are missing")
        kind, state = STATES.get(event, (None, ""))
        if kind == "vehicle":
            if len(self._states) >= OCCURRENCES_MAX:
                self._states.clear()
            self._states[controller, phase] = state

    def _count_error(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what


def _fields(row: bytes) -> list[str] | None:
    try:
        text = row.decode("utf-8")
        fields = next(csv.reader([text], skipinitialspace=True, strict=True)) if '"' in text else text.split(",")
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None
    return [field.strip() for field in fields]


def _header(fields: list[str]) -> dict[str, int] | None:
    """Where each column stands, if these are the names of columns."""
    names = [_COLUMNS.get(re.sub(r"[ _]", "", field.lower())) for field in fields]
    columns = {name: place for place, name in enumerate(names) if name is not None}
    return columns if columns.keys() >= _NEEDED else None


def _moment(text: str) -> datetime | None:
    """When a stamp is, for comparison with its neighbours only; None for what is no stamp.

    ISO 8601 with T or a space, or month/day/year as controllers of the United States write it, also with AM and PM.
    """
    if len(text) > _TIME_CHARACTERS_MAX or not text.isascii() or ":" not in text:
        return None
    try:
        american = _MONTH_FIRST.fullmatch(text)
        moment = _american(american) if american else datetime.fromisoformat(text)
        return moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())
    except (ValueError, OverflowError):
        return None


def _american(match: re.Match[str]) -> datetime:
    month, day, year, hour, minute, second = (int(part) for part in match.groups()[:6])
    if match[8] is not None:
        if not 1 <= hour <= _NOON:
            raise ValueError("no hour of a clock with twelve")
        hour = hour % _NOON + (_NOON if match[8] == "P" else 0)
    return datetime(year, month, day, hour, minute, second, int((match[7] or "0").ljust(6, "0")))  # noqa: DTZ001 - as the log's
