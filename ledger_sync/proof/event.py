"""An event: a reading with sequence, clock and identity (DESIGN 4, payload of the statement)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cbor2

from . import cbor
from .cose import ISS, SUB, UTC_US_MAX, Role, Sign1, parse, parse_header
from .errors import MalformedError, SchemaError
from .event_types import (
    EVENT_TYPES,
    SETTLING_STATEMENT_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    EventType,
)
from .merkle import HASH_BYTES
from .names import JOURNAL_ID_BYTES, id_problem, parse_issuer

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOT_ID_BYTES = 16
(
    SEQUENCE,
    JOURNAL,
    COUNTER,
    UTC,
    BOOT,
    BOOTTIME,
    CLOCK,
    TYPE,
    VERSION,
    DATA,
    EVIDENCE,
    PASSPORT,
    ORIGIN,
) = range(1, 14)
_FIELDS = frozenset(range(1, 14))
_REQUIRED = _FIELDS - {EVIDENCE, PASSPORT}
ORIGINS = range(4)
_ORIGIN_FIELDS = tuple(b"\x0d" + cbor.encode(one) for one in ORIGINS)
_REST_BYTES_MIN = 60  # of a payload, without its data
_TYPE_NAME = re.compile(r"(?=.{3,32}\Z)[a-z0-9_]+(?:\.[a-z0-9_]+)+")

CLOCK_SOURCE_BYTES_MAX = 8
JOURNAL_EVENTS_MAX = (1 << 32) - 1
"""The largest sequence and device counter: a journal is at most 1 TiB, and an event in it never under 256 bytes.

With both bounds a statement with 300 bytes of data, the longest names and a passport is at most 640 (FORMAT.md).
"""

CLOCK_UNSYNCED, CLOCK_HOLDOVER, CLOCK_SYNCED = _CLOCK_STATES = 0, 1, 2
_CLOCK_KEYS = {1, 2, 3, 4}


@dataclass(frozen=True, slots=True)
class ClockState:
    """How good the gateway's UTC is: state 0 unsynced, 1 holdover, 2 synced; error bound in µs (None if unsynced)."""

    state: int
    error_us: int | None
    source: str
    authenticated: bool

    def as_map(self) -> dict[int, Any]:
        """Field 7 of an event."""
        bound = {} if self.error_us is None else {2: self.error_us}
        return {1: self.state, **bound, 3: self.source, 4: self.authenticated}


class Stamp(NamedTuple):
    """When an event was taken in: UTC µs, boot id, µs since boot (CLOCK_BOOTTIME), and the state of the clock."""

    utc_us: int
    boot_id: bytes
    boottime_us: int
    clock: ClockState


def encode_data(row: EventType, data: Mapping[str, Any]) -> bytes:
    """Checked event data as CBOR. Raises SchemaError when the type does not allow it or it is too large.

    Data has text keys only, for which the order of cbor2's `canonical` (length first) and the bytewise order of our
    profile are the same; so the C encoder serves here. A property test holds the two against each other.
    """
    try:
        raw = cbor2.dumps(row.check(data), canonical=True)
    except UnicodeEncodeError:
        raise SchemaError("has text with a lone surrogate, which has no UTF-8") from None
    if len(raw) > row.data_bytes_max:
        raise SchemaError(f"is {len(raw)} bytes of data; a {row.name} has at most {row.data_bytes_max}")
    return raw


def encode_evidence(row: EventType, data: bytes, evidence: tuple[bytes, ...]) -> bytes:
    """Field 11 as it stands in a payload, key included; empty where there is no evidence.

    Evidence takes its room from the data's, so that statements keep their bound. Raises SchemaError for what are no
    SHA-256 digests, and for too many of them.
    """
    if not evidence:
        return b""
    if not isinstance(evidence, tuple) or any(not isinstance(one, bytes) or len(one) != HASH_BYTES for one in evidence):
        raise SchemaError(f"must be digests of {HASH_BYTES} bytes", "evidence")
    raw = b"\x0b" + cbor.encode(list(evidence))
    if len(data) + len(raw) > row.data_bytes_max:
        size = f"{len(raw)} bytes beside {len(data)} of data"
        raise SchemaError(f"is {size}; a {row.name} has at most {row.data_bytes_max} together", "evidence")
    return raw


class PayloadEncoder:
    """Makes event payloads of one journal; everything that stays the same is encoded once (the hot path).

    What is encoded here is what `parse_event` reads, if the numbers are in range: raises CborError for negative ones.
    """

    def __init__(self, journal: bytes) -> None:
        self._journal = b"\x02" + cbor.byte_string(journal)
        self._clock: tuple[ClockState | None, bytes] = (None, b"")
        self._boot: tuple[bytes, bytes] = (b"", b"")
        self._types: dict[str, bytes] = {}

    def encode(
        self,
        sequence: int,
        counter: int,
        stamp: Stamp,
        row: EventType,
        data: bytes,
        origin: int,
        evidence: bytes = b"",
        passport: int | None = None,
    ) -> bytes:
        """The payload of one event; `data` is what `encode_data` gave, `evidence` what `encode_evidence` gave.

        `origin` is one of ORIGINS.
        """
        known, clock = self._clock
        if known is not stamp.clock:
            clock = b"\x07" + cbor.encode(stamp.clock.as_map())
            self._clock = (stamp.clock, clock)
        boot_id, boot = self._boot
        if boot_id is not stamp.boot_id:
            boot = b"\x05" + cbor.byte_string(stamp.boot_id)
            self._boot = (stamp.boot_id, boot)
        kind = self._types.get(row.name)
        if kind is None:
            kind = self._types[row.name] = (
                b"\x08" + cbor.encode(row.name) + b"\x09" + cbor.encode(row.version) + b"\x0a"
            )
        head = cbor.head
        map_head, references = b"\xab\x01", evidence
        if passport is not None:
            map_head, references = b"\xac\x01", evidence + b"\x0c" + head(0, passport)
        if evidence:
            map_head = b"\xac\x01" if passport is None else b"\xad\x01"
        parts = (
            map_head,
            head(0, sequence),
            self._journal,
            b"\x03",
            head(0, counter),
            b"\x04",
            head(0, stamp.utc_us),
            boot,
            b"\x06",
            head(0, stamp.boottime_us),
            clock,
            kind,
            data,
            references,
            _ORIGIN_FIELDS[origin],
        )
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded statement. Times in µs; `data` as the schema of `type` has it."""

    city: str
    gateway: str
    device: str
    kid: bytes
    sequence: int
    journal: bytes
    device_counter: int
    stamp: Stamp
    type: str
    version: int
    data: Mapping[str, Any]
    evidence: tuple[bytes, ...]
    passport: int | None
    origin: int


def parse_event(statement: bytes) -> Event:
    """The event in a statement's bytes. Raises CborError or MalformedError; the signature is not checked here."""
    envelope = parse(statement)
    if envelope.unprotected:
        raise MalformedError("an event's statement has an empty unprotected header")
    return event_of(envelope)


def event_of(envelope: Sign1) -> Event:
    """The event in an envelope. Raises CborError or MalformedError; the signature is not checked here."""
    header = parse_header(envelope.protected, Role.EVENT)
    city, gateway = parse_issuer(header.iss)
    if header.claims.keys() != {ISS, SUB} or id_problem(header.sub) or envelope.payload is None:
        raise MalformedError("an event needs an attached payload, a device id as sub, and no other claims")
    fields = cbor.decode(envelope.payload)
    if not isinstance(fields, dict) or not _REQUIRED <= fields.keys() <= _FIELDS:
        raise MalformedError("an event's payload needs its fields 1 to 10 and 13, and no others than 1 to 13")
    numbers = [fields[key] for key in (SEQUENCE, COUNTER, VERSION, UTC, BOOTTIME, ORIGIN)]
    if any(type(one) is not int for one in numbers) or min(numbers[:3]) < 1 or min(numbers) < 0:
        raise MalformedError("an event's sequence, counter, times, version or origin is no integer in range")
    if fields[UTC] > UTC_US_MAX or fields[ORIGIN] not in ORIGINS:
        raise MalformedError("an event's time (4) is after the year 9999, or its origin (13) is none of 0 to 3")
    if max(fields[SEQUENCE], fields[COUNTER]) > JOURNAL_EVENTS_MAX:
        raise MalformedError(f"an event's sequence (1) or device counter (3) is over {JOURNAL_EVENTS_MAX}")
    stamp = Stamp(fields[UTC], _octets(fields[BOOT], BOOT_ID_BYTES), fields[BOOTTIME], _clock(fields[CLOCK]))
    name = _type_name(fields[TYPE])
    evidence = _evidence(fields)
    _check_size(name, envelope)
    return Event(
        city=city,
        gateway=gateway,
        device=header.sub,
        kid=header.kid,
        sequence=fields[SEQUENCE],
        journal=_octets(fields[JOURNAL], JOURNAL_ID_BYTES),
        device_counter=fields[COUNTER],
        stamp=stamp,
        type=name,
        version=fields[VERSION],
        data=_data(name, fields, evidence, len(envelope.payload)),
        evidence=evidence,
        passport=_passport(fields),
        origin=fields[ORIGIN],
    )


def _octets(value: Any, size: int) -> bytes:
    if isinstance(value, bytes) and len(value) == size:
        return value
    raise MalformedError(f"an event has an id or a digest that is not {size} bytes")


def _clock(value: Any) -> ClockState:
    if isinstance(value, dict) and value.keys() in (_CLOCK_KEYS, _CLOCK_KEYS - {2}):
        state, error_us, source, authenticated = (value.get(key) for key in (1, 2, 3, 4))
        if (
            type(state) is int
            and state in _CLOCK_STATES
            and (error_us is None if state == CLOCK_UNSYNCED else type(error_us) is int and error_us >= 0)
            and (error_us is None) == (len(value) == len(_CLOCK_KEYS) - 1)
            and isinstance(source, str)
            and len(source.encode()) <= CLOCK_SOURCE_BYTES_MAX
            and isinstance(authenticated, bool)
        ):
            return ClockState(state, error_us, source, authenticated)
    raise MalformedError(
        "an event's clock (7) needs state (1), error bound unless unsynced (2), "
        f"source of at most {CLOCK_SOURCE_BYTES_MAX} bytes (3) and authenticated (4)"
    )


def _type_name(value: Any) -> str:
    if isinstance(value, str) and _TYPE_NAME.fullmatch(value):
        return value
    raise MalformedError("an event's type (8) must be lower-case words with dots between, at most 32 characters")


def _check_size(name: str, envelope: Sign1) -> None:
    row = EVENT_TYPES.get(name)
    size, size_max = len(envelope.bare().encode()), STATEMENT_BYTES_MAX
    if row is not None and row.settles:
        size_max = SETTLING_STATEMENT_BYTES_MAX
    if size > size_max:
        raise MalformedError(f"an event's statement is {size} bytes; of the type {name} at most {size_max}")


def _data(name: str, fields: Mapping[int, Any], evidence: tuple[bytes, ...], payload_size: int) -> Mapping[str, Any]:
    """The data, checked against its schema where this software knows the type and its version."""
    data = fields[DATA]
    if not isinstance(data, dict) or any(not isinstance(key, str) for key in data):
        raise MalformedError("an event's data (10) must be a map with text keys")
    row = EVENT_TYPES.get(name)
    if row is None or row.version != fields[VERSION]:
        return data
    try:
        checked = row.check(data)
        if payload_size > row.data_bytes_max + _REST_BYTES_MIN:  # only then, as measuring costs
            encode_evidence(row, encode_data(row, data), evidence)
    except SchemaError as error:
        raise MalformedError(f"an event's data (10) is not that of a {row.name}: {error}") from error
    if checked != data:
        raise MalformedError(f"an event's data (10) has text where a {row.name} has decimals or bytes")
    return data


def _evidence(fields: Mapping[int, Any]) -> tuple[bytes, ...]:
    if EVIDENCE not in fields:
        return ()
    digests = fields[EVIDENCE]
    if isinstance(digests, list) and digests:
        return tuple(_octets(one, HASH_BYTES) for one in digests)
    raise MalformedError("an event's evidence (11), where there is any, must be a list of digests")


def _passport(fields: Mapping[int, Any]) -> int | None:
    passport = fields.get(PASSPORT)
    if PASSPORT in fields and (type(passport) is not int or not 1 <= passport < fields[SEQUENCE]):
        raise MalformedError("an event's passport (12) must be the sequence of an earlier event")
    return passport
