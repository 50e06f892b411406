"""The Driver port: what a device's driver must be, and what it yields.

A driver opens its transport, yields readings and closes. It never retries: it raises `DeviceError`, and the
supervisor in `edge` decides when to open it again. It never blocks the event loop, bounds every buffer, and turns
any bytes whatever into readings or counted errors.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


class Origin(enum.IntEnum):
    """How far the wire vouches for a reading (field 13 of an event)."""

    UNPROTECTED = 0
    CHECKSUM = 1
    AUTHENTICATED_LINK = 2
    SIGNED_BY_DEVICE = 3


class WireRole(enum.StrEnum):
    """What the driver is on its wire, so that a gateway never evicts the device's owner."""

    SOLE_MASTER = "sole master"
    SHARED = "shared"
    LISTEN_ONLY = "listen only"


class DeviceError(Exception):
    """The device or its wire is unusable now: the supervisor closes the driver and opens it again later.

    The message is one sentence an operator can act on: the place, what happened, the mend.
    """


class Reading(NamedTuple):
    """What a driver yields: one thing that a device said.

    `data` has text keys; values are None, bool, int, str, bytes, Decimal, or lists and dicts of these; never a
    float. `id` is the device's own identity of this reading, if its protocol has one: the recorder records the
    same id once. `evidence` are SHA-256 digests of what lies beside the event (field 11).
    """

    type: str
    data: Mapping[str, Any]
    origin: Origin
    id: str | None = None
    evidence: tuple[bytes, ...] = ()


@dataclass(slots=True)
class WireCounters:
    """What happened on a driver's wire since it was made; read by health.

    `last_error` may quote the wire, and a wire may carry a card's number: health and events leave it out. `figures` are
    what else a driver has to tell an operator in health, as JSON.
    """

    readings: int = 0
    errors: int = 0
    resyncs: int = 0
    bytes_dropped: int = 0
    last_error: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


class Driver(Protocol):
    """One device on its wire. Made with the device's id and its settings; does no I/O before `open`.

    The supervisor calls `open`, iterates over `readings` in one task, and calls `close` in any case; then `open`
    may be called again on the same object. Nothing is called concurrently, except `Answering.answer`.
    """

    Settings: ClassVar[type[Any]]
    """A frozen dataclass of `ledger_sync.proof.settings.setting` fields: the driver's own keys of `[[device]]`."""

    counters: WireCounters

    @property
    def wire_role(self) -> WireRole:
        """What the driver is on its wire: of the class, or by its settings."""

    def __init__(self, device: str, settings: Any) -> None:
        """Keep the device's id and its settings (an instance of `Settings`)."""

    async def open(self) -> None:
        """Open the transport. Raises DeviceError."""

    def readings(self) -> AsyncIterator[Reading]:
        """Readings in the order of the wire, for ever. Raises DeviceError when the wire is lost."""

    async def close(self) -> None:
        """Close the transport; idempotent; raises nothing."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The reading is committed to the journal (or was before, under the same id)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The reading will never be recorded as it is. `why` is one sentence for the device's maker."""

    why: str


@runtime_checkable
class Answering(Protocol):
    """A driver whose protocol can carry an acknowledgement (an optional ability)."""

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Tell the device what became of `reading`.

        Called once a reading, in the order the outcomes became known, from another task than the one that iterates. May
        wait for the wire; a lost wire is no error here, as the device will send again what was not answered.
        """


@runtime_checkable
class PassingOver(Answering, Protocol):
    """An answering driver whose device need not be told that its reading is recorded (an optional ability).

    It answers so that the reading does not come again, as with MQTT's QoS 1. Only its readings may be thinned.
    """

    async def pass_over(self, reading: Reading) -> None:
        """Called instead of `answer`, and like it: `reading` is not worth recording, and need not come again."""


Seal = Callable[[bytes], str]
"""Seals bytes to an authority's key (X25519, libsodium's sealed box); the result is base64 text for an event."""


@runtime_checkable
class Sealing(Protocol):
    """A driver that reads what only an authority may open, such as a card's id (an optional ability).

    What it reads in clear is sealed before it leaves the driver: no reading, error or counter ever holds it.
    """

    seals_to: ClassVar[str]
    """The role of the `[[authority]]` that may open it, such as "transit"."""

    def use_seal(self, seal: Seal) -> None:
        """Called once, before `open`."""


@runtime_checkable
class Addressed(Protocol):
    """A driver whose device is one of several at a port, such as a meter on a bus (an optional ability).

    Devices of one driver may then name the same `port`, if their addresses differ.
    """

    @staticmethod
    def address(settings: Any) -> str:
        """Where on its port the device is, in the field's words, such as `unit 3`."""


@runtime_checkable
class Resuming(Protocol):
    """A driver that goes on from what is recorded, such as a total that must not fall (an optional ability).

    The journal finds a `counter.total` at once, by an index; an event of another type by reading back from its end.
    """

    resumes: ClassVar[str]
    """The type of event that it goes on from."""

    def resume(self, last: Mapping[str, Any]) -> None:
        """Called before the first `open` with the data of the device's newest such event, if there is one.

        Once, if it raises nothing: a driver that cannot go on is not opened, and called again.
        """


@runtime_checkable
class Evidencing(Protocol):
    """A driver that writes sealed evidence before it yields the event that it belongs to (an optional ability)."""

    @staticmethod
    def evidence_roles(settings: Any) -> tuple[str, ...]:
        """The roles of the `[[authority]]` tables to which it seals by these settings; none if it keeps no evidence."""

    def use_evidence(self, folder: Path, keys: Mapping[str, bytes]) -> None:
        """Called once, before `open`: the device's own folder, which may not be there yet, and X25519 keys by role."""


@runtime_checkable
class Described(Protocol):
    """A driver whose readings say what its passport says of it, such as an approval (an optional ability)."""

    def use_passport(self, passport: Mapping[str, Any]) -> None:
        """Called once, before `open`, with the data of the device's passport; empty without one."""


@runtime_checkable
class Prepared(Protocol):
    """A driver that needs files made beforehand, such as a camera's calibration (an optional ability)."""

    @staticmethod
    def unprepared(settings: Any) -> tuple[str, ...]:
        """What of it is missing or wrong, a sentence each, with the mend. Reads files only."""


class CommittedEvent(NamedTuple):
    """An event that is in the journal. `utc_us` is when its reading came in; `clock_error_us` None while unsynced."""

    device: str
    type: str
    data: Mapping[str, Any]
    journal: bytes
    sequence: int
    utc_us: int
    clock_error_us: int | None


@runtime_checkable
class Following(Protocol):
    """A driver whose readings rest on another device's, as a red-light camera's on a signal (an optional ability)."""

    @staticmethod
    def follows(settings: Any) -> str | None:
        """The id of the device that is followed; None if there is none by these settings."""

    def follow(self, event: CommittedEvent) -> None:
        """An event of that device, or of the gateway itself (a step of its clock, a gap), is committed.

        Called on the event loop, in order of sequence, also while the driver is closed; never waits.
        Events that were committed before this run of the gateway are not told: what the device says first is.
        """


@runtime_checkable
class Impaired(Protocol):
    """A driver that may be open and not do all of its work, such as a camera that was moved (an optional ability)."""

    @property
    def impairment(self) -> str:
        """What it does not do at present, and the mend, in a sentence; empty when all is well. Asked every second."""

    @property
    def is_at_work(self) -> bool:
        """Whether the device is there for certain, as its first picture came, though it has told no reading yet."""
