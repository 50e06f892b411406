"""The manifest: what belongs to one piece of evidence, in clear and sealed. Its SHA-256 is what the event signs.

One digest, as the four of two objects do not fit into an event beside its data. It is public: names, sizes, digests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.parts import ID_BYTES, SET_BYTES_MAX
from devices.camera.evidence.sealed import AUTHORITIES_MAX, SEALED_BYTES_MAX
from ledger_sync.proof import cbor
from ledger_sync.proof.errors import CborError
from ledger_sync.proof.merkle import HASH_BYTES

VERSION = 1
MANIFEST_BYTES_MAX = 2048
OBJECTS_MAX = 4

_NAME = re.compile(r"[a-z]{1,16}")


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """One sealed object: SHA-256 and size of the set in clear and of the object, and who opens it, all together."""

    name: str
    clear_sha256: bytes
    clear_bytes: int
    sealed_sha256: bytes
    sealed_bytes: int
    roles: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """What it is called in its folder."""
        return f"{self.name}.sealed"

    def is_digest_of(self, sealed: bytes) -> bool:
        """Whether `sealed` is this object, to the byte."""
        return len(sealed) == self.sealed_bytes and sha256(sealed).digest() == self.sealed_sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """A piece of evidence: its id (16 random bytes) and its sealed objects."""

    id: bytes
    objects: tuple[ManifestObject, ...]

    @property
    def sealed_bytes(self) -> int:
        """Of all objects together."""
        return sum(one.sealed_bytes for one in self.objects)

    def encode(self) -> bytes:
        """The bytes of `manifest.cbor`."""
        rows = [
            {1: one.name, 2: one.clear_sha256, 3: one.clear_bytes, 4: one.sealed_sha256, 5: one.sealed_bytes}
            | {6: list(one.roles)}
            for one in self.objects
        ]
        return cbor.encode({1: VERSION, 2: self.id, 3: rows})


def describe(name: str, clear: bytes, sealed: bytes, roles: tuple[str, ...]) -> ManifestObject:
    """The manifest's row of an object."""
    return ManifestObject(name, sha256(clear).digest(), len(clear), sha256(sealed).digest(), len(sealed), roles)


def parse_manifest(raw: bytes) -> Manifest:
    """The manifest in bytes. Raises EvidenceFormatError."""
    if len(raw) > MANIFEST_BYTES_MAX:
        raise EvidenceFormatError(f"a manifest of {len(raw)} bytes; at most {MANIFEST_BYTES_MAX} are read")
    try:
        fields = cbor.decode(raw)
    except CborError as error:
        raise EvidenceFormatError("a manifest that is no strict CBOR") from error
    match fields:
        case {1: 1, 2: bytes(evidence_id), 3: list(rows)} if (
            len(fields) == 3  # noqa: PLR2004 - the three
            and type(fields[1]) is int
            and len(evidence_id) == ID_BYTES
            and 1 <= len(rows) <= OBJECTS_MAX
        ):
            objects = tuple(map(_object, rows))
            if len({one.name for one in objects}) == len(objects):
                return Manifest(evidence_id, objects)
    raise EvidenceFormatError("a manifest that is not {1: 1, 2: 16-byte id, 3: [objects with names of their own]}")


def _object(row: Any) -> ManifestObject:
    match row:
        case {1: str(name), 2: bytes(clear), 3: int(clear_size), 4: bytes(sealed), 5: int(sealed_size), 6: list(roles)}:
            digests, sizes = (clear, sealed), (clear_size, sealed_size)
            if (
                len(row) == 6  # noqa: PLR2004 - the six
                and _NAME.fullmatch(name)
                and all(len(one) == HASH_BYTES for one in digests)
                and all(type(one) is int and one > 0 for one in sizes)
                and clear_size <= SET_BYTES_MAX
                and sealed_size <= SEALED_BYTES_MAX
                and 1 <= len(roles) <= AUTHORITIES_MAX
                and all(isinstance(one, str) and _NAME.fullmatch(one) for one in roles)
            ):
                return ManifestObject(name, clear, clear_size, sealed, sealed_size, tuple(roles))
    raise EvidenceFormatError("a manifest with an object whose fields 1 to 6 are not in their bounds")
