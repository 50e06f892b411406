"""Opening a piece of evidence: verify first, decrypt then, and hold what is inside against what was signed.

Nothing is handed out of evidence that fails a check, as a picture once seen is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.folder import KEPT, MANIFEST, STATEMENT, read_bounded
from devices.camera.evidence.manifest import MANIFEST_BYTES_MAX, parse_manifest
from devices.camera.evidence.sealed import SEALED_BYTES_MAX, open_sealed, parse_sealed
from devices.camera.evidence.sets import RAW, WORKING, unpack_raw, unpack_working
from devices.camera.plates.plate_hash import plate_hash
from ledger_sync.proof.cose import is_signed_by, key_id, parse
from ledger_sync.proof.errors import ProofError, RefusedError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import STATEMENT_BYTES_MAX
from ledger_sync.proof.kept import KEPT_BYTES_MAX, is_kept_by, parse_kept
from ledger_sync.proof.report import data_to_json, utc_s_text
from ledger_sync.proof.transparent import TRANSPARENT_BYTES_MAX
from ledger_sync.proof.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nacl.public import PrivateKey

    from devices.camera.evidence.manifest import Manifest, ManifestObject
    from devices.camera.evidence.sets import Plate, WorkingSet
    from ledger_sync.proof.event import Event
    from ledger_sync.proof.trust import GatewayKey, Trust
    from ledger_sync.proof.verify import Proven

PROOF = "event.cose"
"""The event's transparent statement, if somebody put it into the folder (`wayside prove`)."""


class EvidenceRefusedError(Exception):
    """The evidence is not what was signed, or not signed by whom it should be. The message says what was found."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A piece of evidence that holds: what was signed, and what was sealed.

    `proven` where its transparent statement was verified as well; `kept_at` (UTC s) where the authority's
    acknowledgement was; `raw` are the files of the raw set, where it was opened. `checks` hold, `unchecked` may not.
    """

    event: Event
    proven: Proven | None
    manifest: Manifest
    working: WorkingSet
    raw: Mapping[str, bytes] | None = field(repr=False)
    kept_at: int | None
    checks: tuple[str, ...]
    unchecked: tuple[str, ...]


def open_evidence(
    folder: Path,
    keys: Mapping[str, Sequence[PrivateKey]],
    gateways: Sequence[GatewayKey],
    trust: Trust | None = None,
    proof: Path | None = None,
    acknowledgers: Mapping[str, bytes] = MappingProxyType({}),
) -> Opened:
    """Verify and decrypt the evidence in a folder; the raw set if all keys that it needs are among `keys`.

    `gateways` are whose statements count. With `trust` the transparent statement is verified as well: of the file
    `proof`, or that in the folder. An acknowledgement that lies there must be of this evidence, and by its authority's
    key if that is among `acknowledgers` (Ed25519, by id). Raises EvidenceRefusedError, EvidenceKeyError, and OSError
    for files that cannot be read.
    """
    unchecked = [] if trust else ["when it was logged (--trust)"]
    try:
        statement = read_bounded(folder / STATEMENT, STATEMENT_BYTES_MAX)
        event = parse_event(statement)
        checks = [_check_signature(event, statement, gateways)]
        proven = None if trust is None else _prove(event, statement, trust, proof or folder / PROOF)
        if proven is not None:
            checks.append(f"its batch stands in the log of {proven.city}/{proven.ledger}, entry {proven.entry}")
        raw_manifest = read_bounded(folder / MANIFEST, MANIFEST_BYTES_MAX)
        manifest = parse_manifest(raw_manifest)
        if sha256(raw_manifest).digest() not in event.evidence:
            raise EvidenceRefusedError("the event does not sign this manifest: it is other evidence, or was altered")
        checks.append("the event signs the evidence's manifest")
        objects = {one.name: _read_object(folder, one) for one in manifest.objects}
        checks.append("every sealed object is, to the byte, what the manifest says")
        kept_at, acknowledged = _check_kept(folder, event, statement, raw_manifest, acknowledgers)
        (unchecked if kept_at is None else checks).append(acknowledged)
        working, raw = _decrypt(manifest, objects, keys, event, checks)
    except (EvidenceFormatError, ProofError) as error:
        raise EvidenceRefusedError(str(error)) from error
    return Opened(event, proven, manifest, working, raw, kept_at, tuple(checks), tuple(unchecked))


def _check_signature(event: Event, statement: bytes, gateways: Sequence[GatewayKey]) -> str:
    keys = {one.public_key for one in gateways if one.id == event.gateway and key_id(one.public_key) == event.kid}
    if not keys:
        raise EvidenceRefusedError(
            f"the key {event.kid.hex()} of gateway {event.gateway!r} is none of the [[gateway]] tables"
        )
    envelope = parse(statement)
    if not any(is_signed_by(envelope, envelope.payload or b"", key) for key in keys):
        raise EvidenceRefusedError("the event's signature is not the gateway's: something was altered")
    return f"the event is signed by gateway {event.city}/{event.gateway}, key {event.kid.hex()}"


def _prove(event: Event, statement: bytes, trust: Trust, file: Path) -> Proven:
    raw = read_bounded(file, TRANSPARENT_BYTES_MAX)
    try:
        proven = verify(raw, trust)
    except RefusedError as error:
        raise EvidenceRefusedError(f"its transparent statement is refused ({error.reason}): {error}") from error
    if parse(raw).bare().encode() != statement:
        other = f"event {proven.sequence} of journal {proven.journal.hex()}"
        raise EvidenceRefusedError(f"its transparent statement is that of {other}, not of event {event.sequence}")
    return proven


def _check_kept(
    folder: Path, event: Event, statement: bytes, manifest: bytes, acknowledgers: Mapping[str, bytes]
) -> tuple[int | None, str]:
    """When the authority acknowledged it, and a sentence; None, and what was not checked, where nobody can tell."""
    if not (folder / KEPT).exists():
        return None, f"whether an authority acknowledged it ({KEPT} is not there)"
    kept = parse_kept(read_bounded(folder / KEPT, KEPT_BYTES_MAX))
    digests = sha256(statement).digest(), sha256(manifest).digest()
    if (kept.statement_sha256, kept.evidence_sha256) != digests or kept.city != event.city:
        raise EvidenceRefusedError(f"{KEPT} acknowledges other evidence: one of both was exchanged")
    by = f"{kept.city}/{kept.authority}, key {kept.kid.hex()}"
    key = acknowledgers.get(kept.authority)
    if key is None or key_id(key) != kept.kid:
        return None, f"whether {KEPT} is by {by} (that signing key is not here)"
    if not is_kept_by(kept, statement, manifest, event.city, kept.authority, key):
        raise EvidenceRefusedError(f"{KEPT} is not signed by {by}: it was altered")
    return kept.issued_at, f"authority {by} acknowledged it at {utc_s_text(kept.issued_at)}"


def _read_object(folder: Path, one: ManifestObject) -> bytes:
    sealed = read_bounded(folder / one.file_name, SEALED_BYTES_MAX)
    if not one.is_digest_of(sealed):
        raise EvidenceRefusedError(f"{one.file_name} is not what was signed: it was altered, or is not whole")
    return sealed


def _decrypt(
    manifest: Manifest,
    objects: Mapping[str, bytes],
    keys: Mapping[str, Sequence[PrivateKey]],
    event: Event,
    checks: list[str],
) -> tuple[WorkingSet, Mapping[str, bytes] | None]:
    rows = {one.name: one for one in manifest.objects}
    if not {WORKING, RAW} <= rows.keys():
        raise EvidenceRefusedError("the manifest names no working set or no raw set")
    working, signed = unpack_working(_clear(rows[WORKING], objects[WORKING], keys), manifest.id)
    if (signed["type"], signed["data"]) != (event.type, data_to_json(event.data)):
        raise EvidenceRefusedError("what the working set says of the measurement is not what the event says")
    checks.append("the working set is what was sealed, and its measurement is the event's")
    checks.append(_check_plate(working, event.data))
    if not all(keys.get(role) for role in rows[RAW].roles):
        return working, None
    raw = unpack_raw(_clear(rows[RAW], objects[RAW], keys), manifest.id)
    if sha256(raw["calibration.toml"]).digest() != event.data.get("calibration_sha256"):
        raise EvidenceRefusedError("the calibration in the raw set is not the one that the event names")
    checks.append("the raw set is what was sealed, and its calibration is the event's")
    return working, raw


def _clear(one: ManifestObject, sealed: bytes, keys: Mapping[str, Sequence[PrivateKey]]) -> bytes:
    opened = open_sealed(parse_sealed(sealed), keys)
    if len(opened) != one.clear_bytes or sha256(opened).digest() != one.clear_sha256:
        raise EvidenceRefusedError(f"what {one.file_name} holds is not what was signed")
    return opened


def _check_plate(working: WorkingSet, data: Mapping[str, Any]) -> str:
    signed = data.get("plate_sha256")
    if working.plate is None and signed is None:
        return "no plate was read with confidence, and the event names none"
    if working.plate is None or _hash(working.plate) != signed:
        raise EvidenceRefusedError("the plate in the working set is not the one whose salted hash the event has")
    return "the plate is the one whose salted hash the event has"


def _hash(plate: Plate) -> bytes | None:
    try:
        return plate_hash(plate.text, plate.salt)
    except ValueError:  # a text without letter or digit is no plate
        return None
