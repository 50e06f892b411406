"""What a camera's process and its driver say to each other: one JSON object a line, each way.

The driver begins with an `Assignment`, then tells the events of the device that is followed. The process says that it
is ready, then readings as they come, how it fares, what it cannot do at present, and why it ends.
Neither holds a plate or a key that opens anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from devices.driver import CommittedEvent, Origin, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAYED = "has been played to its end"
"""Said of a file, once all that it shows is told."""
LINE_BYTES_MAX = 64 << 10
ALIVE_EVERY_S = 2.0
"""The process says something so often, whatever it sees."""
SILENCE_MAX_S = 20.0
"""One that says nothing for so long hangs. Long enough for a machine that is busy with other things."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a camera's process is to do: its device's id and settings (as TOML would have them).

    `keys` are the X25519 keys that evidence is sealed to, by role; `approved_until_us` is until when (UTC) the passport
    calls the camera approved, 0 if it does not.
    """

    device: str
    settings: Mapping[str, Any]
    approved_until_us: int
    folder: str | None = None
    keys: Mapping[str, bytes] = field(default_factory=dict)

    def line(self) -> bytes:
        """As it goes over the pipe."""
        keys = {role: key.hex() for role, key in self.keys.items()}
        return _line(
            {
                "device": self.device,
                "settings": self.settings,
                "approved_until_us": self.approved_until_us,
                "folder": self.folder,
                "keys": keys,
            }
        )


def parse_assignment(line: bytes) -> Assignment:
    """The driver's first line."""
    said = json.loads(line)
    keys = {role: bytes.fromhex(key) for role, key in said["keys"].items()}
    return Assignment(said["device"], said["settings"], said["approved_until_us"], said["folder"], keys)


def event_line(event: CommittedEvent) -> bytes:
    """A committed event of the device that is followed."""
    return _line({**event._asdict(), "data": dict(event.data), "journal": event.journal.hex()})


def parse_event_line(line: bytes) -> CommittedEvent:
    """The event in a line of `event_line`."""
    said = json.loads(line)
    return CommittedEvent(**{**said, "journal": bytes.fromhex(said["journal"])})


@dataclass(frozen=True, slots=True)
class Report:
    """What a camera's process says. `failure` is its last word; `impairment` is empty again once all is well.

    `sees`: its first picture came. `figures` tell how it has fared since it began, as health has them.
    """

    reading: Reading | None = None
    is_ready: bool = False
    sees: bool = False
    errors: int | None = None
    figures: Mapping[str, Any] | None = None
    impairment: str | None = None
    failure: str | None = None

    def line(self) -> bytes:
        """As it goes over the pipe."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return _line(said | {"reading": None if self.reading is None else _told(self.reading)})


def parse_report(line: bytes) -> Report:
    """What a line of the process says. Raises ValueError for what is no report."""
    try:
        said = json.loads(line)
        raw = said.pop("reading")
        return Report(None if raw is None else _reading(raw), **said)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("no report of a camera's process") from error


def _told(reading: Reading) -> dict[str, Any]:
    return {
        "type": reading.type,
        "data": dict(reading.data),
        "id": reading.id,
        "evidence": [digest.hex() for digest in reading.evidence],
    }


def _reading(raw: Mapping[str, Any]) -> Reading:
    evidence = tuple(bytes.fromhex(digest) for digest in raw["evidence"])
    # The camera's link vouches for nothing; what is recorded is this gateway's own reading of its pictures.
    return Reading(raw["type"], raw["data"], Origin.UNPROTECTED, raw["id"], evidence)


def _line(said: Mapping[str, Any]) -> bytes:
    """Bytes become hexadecimal digits, as the event types take them too."""
    return json.dumps(said, separators=(",", ":"), default=_hexadecimal).encode() + b"\n"


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} does not go over the pipe")
