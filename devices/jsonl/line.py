"""The line format of the `jsonl` driver (DESIGN 11): bytes in, readings and refusals out.

One strict JSON object a line: exactly the keys `id`, `type`, `data`. Numbers are 64-bit integers; a fraction would be
rounded somewhere, so quantities come as integers or decimal strings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.driver import Origin, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BYTES_MAX = 4096
ID_BYTES_MAX = 64
_KEYS = {"id", "type", "data"}
_TYPE_CHARACTERS_MAX = 64
_INT64 = range(-(1 << 63), 1 << 63)
_INT64_CHARACTERS_MAX = 20


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is no reading: the id it had, if it had a usable one, and one sentence for the device's maker."""

    id: str | None
    why: str


class LineSplitter:
    """Cuts a stream into lines of at most 4 KiB; holds no more than that."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._skipping = False
        self.bytes_dropped = 0

    def feed(self, data: bytes) -> Iterator[bytes | RefusedLine]:
        """Take the next bytes; give the lines that end in them, without newline.

        A longer line is refused once, when it passes the limit, and dropped up to its end. Empty lines are passed
        over, so that a device may send a newline first to end what a broken connection left.
        """
        *ended, rest = data.split(b"\n")
        for piece in ended:
            yield from self._extend(piece)
            line, self._line = bytes(self._line), bytearray()
            if line.strip(b"\r \t") and not self._skipping:
                yield line
            self._skipping = False
        yield from self._extend(rest)

    def _extend(self, piece: bytes) -> Iterator[RefusedLine]:
        if self._skipping:
            self.bytes_dropped += len(piece)
            return
        self._line += piece
        if len(self._line) > LINE_BYTES_MAX:
            self.bytes_dropped += len(self._line)
            self._line.clear()
            self._skipping = True
            yield RefusedLine(None, f"the line is longer than {LINE_BYTES_MAX} bytes; send less data in one event")


def parse_line(line: bytes) -> Reading | RefusedLine:
    """The reading in one line, or why it is none."""
    problems: list[str] = []
    try:
        value = _decode(line, problems)
    except UnicodeDecodeError as error:
        return RefusedLine(None, f"the line is not UTF-8 (byte {error.start})")
    except RecursionError:
        return RefusedLine(None, "the line is nested too deeply")
    except ValueError as error:
        return RefusedLine(None, f"the line is not JSON: {error}")
    if not isinstance(value, dict):
        return RefusedLine(None, 'a line is one object: {"id": "...", "type": "...", "data": {...}}')
    line_id = _usable_id(value.get("id"))
    if line_id is None and not problems:
        problems.append(f"id must be a string of 1 to {ID_BYTES_MAX} bytes of UTF-8")
    problems.extend(_wrong_members(value))
    if problems or line_id is None:
        return RefusedLine(line_id, problems[0])
    return Reading(value["type"], value["data"], Origin.UNPROTECTED, line_id)


def _decode(line: bytes, problems: list[str]) -> Any:
    """The JSON value; what JSON allows and we do not goes to `problems`, so that the line's id can still be named."""

    def fraction(text: str) -> None:
        problems.append(f"{text[:40]} is a fraction; send an integer or a decimal string")

    def integer(text: str) -> int:
        number = int(text) if len(text) <= _INT64_CHARACTERS_MAX else _INT64.stop
        if number not in _INT64:
            problems.append(f"{text[:40]} is beyond 64 bits; send a decimal string")
        return number

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for name, member in pairs:
            if name in table:
                problems.append(f"the key {name[:40]!r} stands twice")
                member = None  # noqa: PLW2901 - neither of the two counts; an id that stands twice is none
            table[name] = member
        return table

    text = line.decode("utf-8")
    value = json.loads(
        text,
        object_pairs_hook=members,
        parse_float=fraction,
        parse_int=integer,
        parse_constant=fraction,
    )
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            problems.append("a lone surrogate (\\ud800 to \\udfff) is no character")
    return value


def _usable_id(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        return None
    return value if 1 <= size <= ID_BYTES_MAX else None


def _wrong_members(value: dict[str, Any]) -> Iterator[str]:
    if value.keys() != _KEYS:
        yield f"the keys must be exactly id, type, data; not {', '.join(map(repr, sorted(value)))[:80]}"
        return
    if not isinstance(value["type"], str) or not 1 <= len(value["type"]) <= _TYPE_CHARACTERS_MAX:
        yield "type must be an event type such as fare.tap"
    elif value["type"].startswith("gateway."):
        yield "types that start with gateway. are the gateway's own"
    if not isinstance(value["data"], dict):
        yield "data must be an object"


def acknowledgement(line_id: str) -> bytes:
    """The answer that the event with this id is committed."""
    return _line({"ack": line_id})


def refusal(refused: RefusedLine) -> bytes:
    """The answer that a line will never be recorded as it is."""
    return _line({"refused": refused.id, "why": refused.why})


def _line(answer: dict[str, str | None]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n"
