"""An event: a reading with sequence, clock and identity (DESIGN 4, payload of the statement)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cbor2

from . import cbor
from .cose import Role, Sign1, parse, parse_header
from .errors import MalformedError, SchemaError
from .event_types import SETTLING_DATA_BYTES_MAX, EventType, event_type
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
_REQUIRED = frozenset(range(1, 14)) - {EVIDENCE, PASSPORT}

CLOCK_UNSYNCED, CLOCK_HOLDOVER, CLOCK_SYNCED = _CLOCK_STATES = 0, 1, 2


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


@dataclass(frozen=True, slots=True)
class Stamp:
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
    if row.settles and len(raw) > SETTLING_DATA_BYTES_MAX:
        raise SchemaError(f"is {len(raw)} bytes of data; a {row.name} has at most {SETTLING_DATA_BYTES_MAX}")
    return raw


class PayloadEncoder:
    """Makes event payloads of one journal; everything that stays the same is encoded once (the hot path)."""

    def __init__(self, journal: bytes) -> None:
        self._journal = b"\x02" + cbor.byte_string(journal)
        self._clock: tuple[bytes, ClockState | None, bytes] = (b"", None, b"")
        self._types: dict[str, bytes] = {}

    def encode(self, sequence: int, counter: int, stamp: Stamp, row: EventType, data: bytes, origin: int) -> bytes:
        """The payload of one event; `data` is what `encode_data` gave."""
        boot_id, clock, boot_and_clock = self._clock
        if clock is not stamp.clock or boot_id != stamp.boot_id:
            boot_and_clock = cbor.encode(stamp.clock.as_map())
            self._clock = (stamp.boot_id, stamp.clock, boot_and_clock)
        kind = self._types.get(row.name)
        if kind is None:
            kind = self._types[row.name] = (
                b"\x08" + cbor.encode(row.name) + b"\x09" + cbor.encode(row.version) + b"\x0a"
            )
        head = cbor.head
        parts = (
            b"\xab\x01",
            head(0, sequence),
            self._journal,
            b"\x03",
            head(0, counter),
            b"\x04",
            cbor.encode(stamp.utc_us),
            b"\x05\x50",
            stamp.boot_id,
            b"\x06",
            head(0, stamp.boottime_us),
            b"\x07",
            boot_and_clock,
            kind,
            data,
            b"\x0d",
            head(0, origin),
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
    return event_of(parse(statement))


def event_of(envelope: Sign1) -> Event:
    """The event in an envelope. Raises CborError or MalformedError; the signature is not checked here."""
    header = parse_header(envelope.protected, Role.EVENT)
    city, gateway = parse_issuer(header.iss)
    if set(header.claims) != {1, 2} or id_problem(header.sub) or envelope.payload is None:
        raise MalformedError("an event needs an attached payload, a device id as sub, and no other claims")
    fields = cbor.decode(envelope.payload)
    if not isinstance(fields, dict) or not fields.keys() >= _REQUIRED or set(fields) - set(range(1, 14)):
        raise MalformedError("an event's payload needs its fields 1 to 10 and 13, and no others than 1 to 13")
    numbers = [fields[key] for key in (SEQUENCE, COUNTER, UTC, BOOTTIME, VERSION, ORIGIN)]
    if any(type(one) is not int for one in numbers) or min(numbers[:2]) < 1 or not 0 <= fields[ORIGIN] <= 3:  # noqa: PLR2004
        raise MalformedError("an event's sequence, counter, times, version or origin is no integer in range")
    stamp = Stamp(fields[UTC], _octets(fields[BOOT], BOOT_ID_BYTES), fields[BOOTTIME], _clock(fields[CLOCK]))
    return Event(
        city=city,
        gateway=gateway,
        device=header.sub,
        kid=header.kid,
        sequence=fields[SEQUENCE],
        journal=_octets(fields[JOURNAL], JOURNAL_ID_BYTES),
        device_counter=fields[COUNTER],
        stamp=stamp,
        type=_type_name(fields[TYPE]),
        version=fields[VERSION],
        data=_data(fields),
        evidence=_evidence(fields.get(EVIDENCE, [])),
        passport=_passport(fields),
        origin=fields[ORIGIN],
    )


def _octets(value: Any, size: int) -> bytes:
    if isinstance(value, bytes) and len(value) == size:
        return value
    raise MalformedError(f"an event has an id that is not {size} bytes")


def _clock(value: Any) -> ClockState:
    if isinstance(value, dict) and not value.keys() - {1, 2, 3, 4}:
        state, error_us, source, authenticated = (value.get(key) for key in (1, 2, 3, 4))
        bounded = error_us is None if state == CLOCK_UNSYNCED else type(error_us) is int and error_us >= 0
        if type(state) is int and state in _CLOCK_STATES and bounded and isinstance(source, str):
            return ClockState(state, error_us, source, authenticated=_boolean(authenticated))
    raise MalformedError("an event's clock (7) needs state, error bound unless unsynced, source and authenticated")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise MalformedError("an event's clock (7) says by true or false whether its source is authenticated")


def _type_name(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise MalformedError("an event's type (8) must be text")


def _data(fields: Mapping[int, Any]) -> Mapping[str, Any]:
    """The data, checked against its schema where this software knows the type and its version."""
    data = fields[DATA]
    if not isinstance(data, dict) or any(not isinstance(key, str) for key in data):
        raise MalformedError("an event's data (10) must be a map with text keys")
    try:
        row = event_type(fields[TYPE])
    except SchemaError:
        return data
    if row.version != fields[VERSION]:
        return data
    try:
        checked = row.check(data)
    except SchemaError as error:
        raise MalformedError(f"an event's data (10) is not that of a {row.name}: {error}") from error
    if checked != data:
        raise MalformedError(f"an event's data (10) has text where a {row.name} has decimals or bytes")
    return data


def _evidence(value: Any) -> tuple[bytes, ...]:
    if isinstance(value, list) and all(isinstance(one, bytes) for one in value):
        return tuple(value)
    raise MalformedError("an event's evidence (11) must be a list of digests")


def _passport(fields: Mapping[int, Any]) -> int | None:
    passport = fields.get(PASSPORT)
    if PASSPORT in fields and (type(passport) is not int or passport < 1):
        raise MalformedError("an event's passport (12) must be a sequence")
    return passport
