"""Feeds one input to a parser and holds it to what every parser promises (see `judge`)."""

from __future__ import annotations

import dataclasses
import enum
import functools
import random
import re
import time
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.driver import Reading
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fuzz.target import Subject, Target

PIECE_BYTES_MAX = 64
INPUT_CPU_S_MAX = 2.0
GROWTH_MAX = 3.0
MICROSECONDS_A_BYTE_MAX = 250
"""Loose, as CI's processors are slow and shared: half a core of one at 115,200 bit/s would be 43."""

_PLAIN = (bool, int, str, bytes, Decimal, type(None))
CHANGING = re.compile(r"'[^']*'|\"[^\"]*\"|[0-9a-fA-F]*\d[0-9a-fA-F]*")
_GROWTH_BYTES_MIN, _GROWTH_BYTES_MAX = 16_384, 131_072
_MEASURABLE_S = 0.03


class Found(Exception):  # noqa: N818 - what a fuzzer is for, and no error of its own
    """A promise that an input broke; the sentence says which."""

    @property
    def kind(self) -> str:
        """The sentence without what differs from input to input."""
        return CHANGING.sub("#", str(self))


class Outcome(NamedTuple):
    """`shape` tells inputs apart that took a parser on different ways; `cpu_s` is what it cost to read it once."""

    shape: tuple[Any, ...]
    cpu_s: float


def judge(target: Target, data: bytes) -> Outcome:
    """Raises Found unless the parser keeps its promises on `data`.

    They are: no exception but typed ones; no more bytes held than its bound; values of exact plain types that the
    recorder takes; counters that count no more than came; the same values however the stream is cut; time in bounds;
    and of two good frames after it (one, where each is a message of its own) at least one is read.
    """
    subject = target.new()
    begin_s = time.process_time()
    values = _fed(target, subject, pieces(target, data))
    cpu_s = time.process_time() - begin_s
    if cpu_s > INPUT_CPU_S_MAX:
        raise Found(f"{len(data)} bytes took {cpu_s:.1f} s")
    counters = dataclasses.replace(subject.counters)
    if target.comes_in_pieces and counters.bytes_dropped > len(data):
        raise Found(f"counted {counters.bytes_dropped} bytes as dropped of {len(data)}")
    for value in values:
        _check_plain(value)
        if target.all_recordable and isinstance(value, Reading):
            _check_recordable(value)
    if target.comes_in_pieces and target.reads_alike_in_pieces:
        at_once = _fed(target, target.new(), [data])
        if at_once != values:
            raise Found(f"{len(values)} values in pieces, {len(at_once)} (or others) at once")
    _check_recovery(target, subject)
    shape = (
        len(values).bit_length(),
        frozenset(_kind(value) for value in values),
        counters.errors.bit_length(),
        counters.resyncs.bit_length(),
        CHANGING.sub("#", counters.last_error),
    )
    return Outcome(shape, cpu_s)


def pieces(target: Target, data: bytes) -> list[bytes]:
    """`data` as it comes: in pieces of sizes that hang on the data alone, so that it is all a find has to keep."""
    if not target.comes_in_pieces:
        return [data]
    chance = random.Random(zlib.crc32(data))
    largest = chance.choice((1, 7, PIECE_BYTES_MAX, PIECE_BYTES_MAX))
    cut, position = [], 0
    while position < len(data):
        size = chance.randint(1, largest)
        cut.append(data[position : position + size])
        position += size
    return cut


def check_growth(target: Target, unit: bytes, clock_s: Callable[[], float] = time.process_time) -> None:
    """Raises Found when twice as much of `unit`, over and over, costs over three times as much, or a byte too much."""

    def cost_s(size: int) -> float:
        return _cost_s(target, unit, size, clock_s)

    size = max(2 * target.held_bytes_max, _GROWTH_BYTES_MIN)
    while (once := cost_s(size)) < _MEASURABLE_S and size < _GROWTH_BYTES_MAX:
        size *= 2
    twice = cost_s(2 * size)
    if _is_too_much(size, once, twice):  # a machine that is busy elsewhere is no find
        once, twice = (min(cost_s(times * size) for _ in range(3)) for times in (1, 2))
        if _is_too_much(size, once, twice):
            raise Found(f"{size} bytes take {once:.3f} s, twice as many {twice:.3f} s")


def _is_too_much(size: int, once_s: float, twice_s: float) -> bool:
    return twice_s > max(_MEASURABLE_S, GROWTH_MAX * once_s) or once_s > 1e-6 * size * MICROSECONDS_A_BYTE_MAX


def _cost_s(target: Target, unit: bytes, size: int, clock_s: Callable[[], float]) -> float:
    data = (unit * (size // len(unit) + 1))[:size]
    cut = [data[at : at + PIECE_BYTES_MAX] for at in range(0, size, PIECE_BYTES_MAX)]
    begin_s = clock_s()
    _fed(target, target.new(), cut if target.comes_in_pieces else [data])
    return clock_s() - begin_s


def _fed(target: Target, subject: Subject, cut: list[bytes]) -> list[Any]:
    values: list[Any] = []
    for piece in cut:
        values += _guarded(subject, piece)
        if (held := subject.held()) > target.held_bytes_max:
            raise Found(f"holds {held} bytes, at most {target.held_bytes_max} are promised")
    return values + _guarded(subject, None)


def _guarded(subject: Subject, piece: bytes | None) -> list[Any]:
    """What the subject gives for a piece, or for silence."""
    try:
        return subject.silence() if piece is None else subject.feed(piece)
    except Exception as error:
        raise Found(f"{type(error).__name__}: {str(error)[:120]}") from error


def _check_recovery(target: Target, subject: Subject) -> None:
    """Of the good frames that follow, at most the first may be lost, though a frame begun may keep them waiting."""
    good, expected = good_frame(target)

    def read(times: int) -> int:
        return [target.essence(value) for _ in range(times) for value in _guarded(subject, good)].count(expected)

    if not target.comes_in_pieces:
        if not read(1):
            raise Found("a good message after it was not read")
    elif not read(2):
        waiting = target.held_bytes_max // len(good) + 1
        if (found := read(waiting)) <= waiting:
            raise Found(f"of {waiting + 2} good frames after it, {found} were read")


@functools.cache
def good_frame(target: Target) -> tuple[bytes, Any]:
    """The target's good frame, and the essence of the first value that a fresh parser gives for it."""
    good, subject = target.good(), target.new()
    values = subject.feed(good) + subject.silence()
    if not values:
        raise ValueError(f"{target.name}: its good frame is not read: {subject.counters.last_error}")
    return good, target.essence(values[0])


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, field.name) for field in dataclasses.fields(value))
    elif type(value) not in _PLAIN and not isinstance(value, enum.Enum):
        raise Found(f"a value of the type {type(value).__name__}")


def _check_plain(value: Any) -> None:
    for member in _members(value):
        _check_plain(member)


def _check_recordable(reading: Reading) -> None:
    try:
        encode_data(event_type(reading.type), reading.data)
    except SchemaError as error:
        raise Found(f"a {reading.type} that the recorder refuses: {error}") from error


def _kind(value: Any) -> str:
    if isinstance(value, Reading):
        return f"{value.type} {sorted(value.data)} {value.data.get('state')} {value.data.get('cause')}"
    return f"{type(value).__name__} of {sorted(set(_types(value)))}"


def _types(value: Any) -> Iterator[str]:
    """The types of all that a value holds; of an enum's member its name, of bytes also how many."""
    for member in _members(value):
        yield member.name if isinstance(member, enum.Enum) else type(member).__name__
        if isinstance(member, bytes):
            yield f"{len(member)} bytes"
        yield from _types(member)
