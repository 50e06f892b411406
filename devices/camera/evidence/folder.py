"""One piece of evidence on a gateway's disk: a folder named by its id, and what its files say of its state.

    <data_dir>/evidence/<device>/<id>/
        working.sealed, raw.sealed   the sealed objects
        manifest.cbor                their digests; its SHA-256 is what the event signs
        reading.json                 the reading whose evidence it is
        recorded | refused           empty: what became of the reading
        statement.cose               the event, once the gateway has taken it out of its journal
        kept.cose                    the authority's acknowledgement: the folder may go

A folder whose name begins with a dot is being written or removed; what a crash leaves of it means nothing.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from devices.camera.evidence.errors import EvidenceFormatError
from devices.driver import Origin, Reading
from ledger_sync.proof.durable import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST, READING, RECORDED, REFUSED = "manifest.cbor", "reading.json", "recorded", "refused"
STATEMENT, KEPT = "statement.cose", "kept.cose"
READING_BYTES_MAX = 8192
FILE_MODE, FOLDER_MODE = 0o600, 0o700

_ID = re.compile(r"[0-9a-f]{32}")


def is_evidence_id(name: str) -> bool:
    """Whether a name can be that of a folder with evidence: 32 hexadecimal digits."""
    return _ID.fullmatch(name) is not None


def evidence_folders(folder: Path) -> list[Path]:
    """The whole folders of evidence in a device's folder, oldest first; none where it is not there. Raises OSError."""
    try:
        names = [one.name for one in os.scandir(folder) if is_evidence_id(one.name)]
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        with suppress(FileNotFoundError):  # uploaded, and removed just now
            found.append(((folder / name).stat().st_mtime_ns, name))
    return [folder / name for _, name in sorted(found)]


def size_bytes(folder: Path) -> int:
    """Of the files in one folder of evidence; 0 if it is not there any more. Raises OSError."""
    try:
        return sum(one.stat().st_size for one in os.scandir(folder))
    except FileNotFoundError:
        return 0


def make_folder(folder: Path) -> None:
    """Have a folder, and those above it, on the disk; its owner alone may look into it. Raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    for one in missing:
        sync_directory(one.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and have it on the disk; its name is not durable before its folder is. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def add_durably(folder: Path, name: str, content: bytes = b"") -> None:
    """Have a file in a folder that is there, whole or not at all. Replaces what has its name. Raises OSError."""
    draft = folder / f".{name}"
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        write_durably(draft, content)
        draft.rename(folder / name)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_directory(folder)


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """A file's bytes. Raises EvidenceFormatError when there are more than `bytes_max`, and OSError."""
    with path.open("rb") as file:
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise EvidenceFormatError(f"{path.name} is over {bytes_max} bytes")
    return content


def encode_reading(reading: Reading) -> bytes:
    """The bytes of `reading.json`; bytes in its data become hexadecimal digits, as event types take them too."""
    told = {
        "type": reading.type,
        "data": reading.data,
        "origin": int(reading.origin),
        "id": reading.id,
        "evidence": [digest.hex() for digest in reading.evidence],
    }
    return json.dumps(told, default=_hexadecimal, indent=1).encode() + b"\n"


def read_reading(folder: Path) -> Reading:
    """The reading whose evidence a folder is. Raises EvidenceFormatError when it is damaged, and OSError."""
    raw = read_bounded(folder / READING, READING_BYTES_MAX)
    try:
        match json.loads(raw):
            case {"type": str(kind), "data": dict(data), "origin": int(origin), "id": folder.name, "evidence": [one]}:
                return Reading(kind, data, Origin(origin), folder.name, (bytes.fromhex(one),))
    except (ValueError, RecursionError) as error:
        raise EvidenceFormatError(f"{READING} is damaged") from error
    raise EvidenceFormatError(f"{READING} is not that of its folder")


def _hexadecimal(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"a reading with evidence has no {type(value).__name__}")
