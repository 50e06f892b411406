"""The two sets of a violation: what each holds, and how it lies in its parts (FORMAT.md, "Working set", "Raw set")."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.parts import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devices.camera.track import TrackPoint

WORKING, RAW = "working", "raw"
ROLES = {WORKING: ("traffic",), RAW: ("traffic", "oversight")}
"""Who opens a set: all of them together."""
EVIDENCE_ROLES = ("traffic", "oversight")
"""To whom a camera that keeps evidence seals."""

SALT_BYTES = range(16, 33)
PLATE_CHARACTERS_MAX = 16
FRAMES_MAX = 64

_PICTURE, _CROP, _FACTS = "picture.jpg", "plate.png", "facts.json"
_TRACK, _CALIBRATION = "track.json", "calibration.toml"
_FACTS_BYTES_MAX = 16_384
_WORKING_PARTS = {_PICTURE, _CROP, _FACTS}


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate that was read: its text, the salt (16 to 32 bytes) of the hash in the event, and its crop (PNG)."""

    text: str = field(repr=False)
    salt: bytes = field(repr=False)
    crop: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WorkingSet:
    """What the office works with: a picture (JPEG) in which nobody else is to be recognised, and the plate.

    `plate` is None where none was read with confidence.
    """

    picture: bytes = field(repr=False)
    plate: Plate | None


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A whole picture as it was taken (JPEG), with its times as in `devices.camera.frame.Frame`."""

    picture: bytes = field(repr=False)
    presentation_us: int
    utc_us: int


@dataclass(frozen=True, slots=True)
class RawSet:
    """What the measurement rests on, unblurred: frames, the vehicle's track, the calibration's file, and `facts`.

    `facts` are values that JSON has: the settings and versions that the measurement went by.
    """

    frames: tuple[RawFrame, ...]
    points: tuple[TrackPoint, ...]
    calibration: bytes
    facts: Mapping[str, Any]


def pack_working(evidence_id: bytes, working: WorkingSet, event_type: str, data: Mapping[str, Any]) -> bytes:
    """The working set in bytes, with the event's own type and data (as JSON has them). Raises EvidenceFormatError."""
    facts: dict[str, Any] = {"type": event_type, "data": data}
    parts = {_PICTURE: working.picture}
    if working.plate is not None:
        facts |= {"plate": working.plate.text, "salt": working.plate.salt.hex()}
        parts[_CROP] = working.plate.crop
    parts[_FACTS] = _json(facts)
    return pack(WORKING, evidence_id, parts)


def unpack_working(packed: bytes, evidence_id: bytes) -> tuple[WorkingSet, dict[str, Any]]:
    """The working set in bytes, and the type and data in it. Raises EvidenceFormatError."""
    parts = unpack(packed, WORKING, evidence_id)
    if not {_PICTURE, _FACTS} <= parts.keys() <= _WORKING_PARTS or len(parts[_FACTS]) > _FACTS_BYTES_MAX:
        raise EvidenceFormatError("a working set without a picture or facts, or with more than belongs in it")
    facts = _read_json(parts[_FACTS])
    plate = None
    if _CROP in parts:
        plate = Plate(*_plate(facts), parts[_CROP])
    event = {name: facts.pop(name, None) for name in ("type", "data")}
    if facts or not isinstance(event["type"], str) or not isinstance(event["data"], dict):
        raise EvidenceFormatError("a working set whose facts are not type, data, and plate and salt with a crop")
    return WorkingSet(parts[_PICTURE], plate), event


def _plate(facts: dict[str, Any]) -> tuple[str, bytes]:
    text, salt = facts.pop("plate", None), facts.pop("salt", None)
    if isinstance(text, str) and 0 < len(text) <= PLATE_CHARACTERS_MAX and isinstance(salt, str):
        try:
            octets = bytes.fromhex(salt)
        except ValueError:
            octets = b""
        if len(octets) in SALT_BYTES:
            return text, octets
    raise EvidenceFormatError("a working set with a plate whose text or salt is out of bounds")


def pack_raw(evidence_id: bytes, raw: RawSet) -> bytes:
    """The raw set in bytes. Raises EvidenceFormatError."""
    if not 1 <= len(raw.frames) <= FRAMES_MAX:
        raise EvidenceFormatError(f"a raw set of {len(raw.frames)} frames; it has 1 to {FRAMES_MAX}")
    names = [f"frame-{number:02}.jpg" for number in range(1, len(raw.frames) + 1)]
    frames = [
        {"file": name, "presentation_us": one.presentation_us, "utc_us": one.utc_us}
        for name, one in zip(names, raw.frames, strict=True)
    ]
    points = [{**point._asdict(), "box": list(point.box)} for point in raw.points]
    track = _json({"facts": dict(raw.facts), "frames": frames, "points": points})
    pictures = {name: one.picture for name, one in zip(names, raw.frames, strict=True)}
    return pack(RAW, evidence_id, {**pictures, _TRACK: track, _CALIBRATION: raw.calibration})


def unpack_raw(packed: bytes, evidence_id: bytes) -> dict[str, bytes]:
    """The files of a raw set by name: frames, `track.json`, `calibration.toml`. Raises EvidenceFormatError."""
    parts = unpack(packed, RAW, evidence_id)
    if not {_TRACK, _CALIBRATION} < parts.keys():
        raise EvidenceFormatError("a raw set without frames, track or calibration")
    return parts


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise EvidenceFormatError("a set with a value that JSON has not") from error


def _read_json(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EvidenceFormatError("a set whose facts are no JSON") from error
    if not isinstance(value, dict):
        raise EvidenceFormatError("a set whose facts are no JSON object")
    return value
