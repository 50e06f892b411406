"""The store of a camera's evidence: written before its event, told again until the event is recorded.

A crash at any moment leaves a folder that is whole, or one that means nothing. So a reading that was yielded has its
evidence on the disk, and evidence that is on the disk has its reading yielded, at the next start if need be. The
recorder knows a reading by its id, and records it once.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from devices.camera.evidence.errors import EvidenceError, EvidenceFormatError, EvidenceFullError
from devices.camera.evidence.folder import (
    FOLDER_MODE,
    MANIFEST,
    READING,
    RECORDED,
    REFUSED,
    add_durably,
    encode_reading,
    evidence_folders,
    is_evidence_id,
    make_folder,
    read_reading,
    size_bytes,
    write_durably,
)
from devices.camera.evidence.manifest import Manifest, describe
from devices.camera.evidence.parts import ID_BYTES
from devices.camera.evidence.sealed import seal
from devices.camera.evidence.sets import RAW, ROLES, WORKING, pack_raw, pack_working
from ledger_sync.proof.durable import sync_directory
from ledger_sync.proof.report import data_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from devices.camera.evidence.sets import RawSet, WorkingSet
    from devices.driver import Reading

log = logging.getLogger("wayside.evidence")

BYTES_MAX = 2 << 30
DISK_RESERVE_BYTES = 64 << 20
"""Left on the disk whatever comes: the journal is worth more than a picture."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class EvidenceStore:
    """One camera's evidence in its own folder. Blocking: for a thread, or a process of the camera's own.

    `keys` are the authorities' X25519 keys by role (EVIDENCE_ROLES); who only tells what became of readings needs none.
    `bytes_max` is all that the folder may hold. `step` is called where a crash matters (fault tests pass one).
    """

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, bytes],
        bytes_max: int = BYTES_MAX,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.damaged = 0
        """Folders whose reading cannot be read: they stay for somebody to look at, and nothing is told of them."""
        self._folder, self._keys, self._bytes_max, self._step = folder, dict(keys), bytes_max, step

    def keep(self, reading: Reading, working: WorkingSet, raw: RawSet) -> Reading:
        """Seal and write the evidence of a reading; returns it with its id and the digest of its evidence.

        Durable on return. Raises EvidenceFullError and EvidenceError; nothing is left of it then, and there must be no
        event.
        """
        evidence_id = secrets.token_bytes(ID_BYTES)
        try:
            files, digest = self._seal(evidence_id, reading, working, raw)
        except EvidenceFormatError as error:
            raise EvidenceError(f"evidence that cannot be kept: {error}") from error
        complete = reading._replace(id=evidence_id.hex(), evidence=(digest,))
        files[READING] = encode_reading(complete)
        self._check_room(sum(map(len, files.values())))
        self._write(evidence_id.hex(), files)
        return complete

    def _seal(
        self, evidence_id: bytes, reading: Reading, working: WorkingSet, raw: RawSet
    ) -> tuple[dict[str, bytes], bytes]:
        """The sealed objects and their manifest by file name, and the manifest's digest."""
        clear = {
            WORKING: pack_working(evidence_id, working, reading.type, data_to_json(reading.data)),
            RAW: pack_raw(evidence_id, raw),
        }
        files, objects = {}, []
        for name, content in clear.items():
            sealed = seal(name, content, [(role, self._keys[role]) for role in ROLES[name]])
            objects.append(describe(name, content, sealed, ROLES[name]))
            files[objects[-1].file_name] = sealed
        files[MANIFEST] = Manifest(evidence_id, tuple(objects)).encode()
        return files, sha256(files[MANIFEST]).digest()

    def unrecorded(self) -> list[Reading]:
        """The readings of which nobody knows whether they are recorded, oldest first: to be yielded again.

        Raises EvidenceError when the folder cannot be read.
        """
        readings = []
        self.damaged = 0
        for folder in self._all():
            if (folder / RECORDED).exists() or (folder / REFUSED).exists():
                continue
            try:
                readings.append(read_reading(folder))
            except (EvidenceFormatError, OSError) as error:
                self.damaged += 1
                log.error("evidence whose reading is damaged", extra={"folder": str(folder), "why": str(error)})  # noqa: TRY400
        return readings

    def mark_recorded(self, evidence_id: str) -> None:
        """The event of this evidence is in the journal; durable on return. Raises EvidenceError."""
        self._mark(evidence_id, RECORDED)

    def mark_refused(self, evidence_id: str) -> None:
        """The event will never be recorded: the evidence stays, and is told no more. Raises EvidenceError."""
        self._mark(evidence_id, REFUSED)

    def _mark(self, evidence_id: str, name: str) -> None:
        if not is_evidence_id(evidence_id):
            return
        folder = self._folder / evidence_id
        try:
            add_durably(folder, name)
        except FileNotFoundError:
            return  # acknowledged twice, and meanwhile uploaded and removed
        except OSError as error:
            raise self._error(error) from error
        self._step("evidence.marked")

    def remove_torn(self) -> int:
        """Remove what crashes left half-written; how many there were. Call it at the start. Raises EvidenceError."""
        try:
            make_folder(self._folder)
            torn = [one.path for one in os.scandir(self._folder) if one.name.startswith(".")]
            for path in torn:
                with suppress(FileNotFoundError):  # the gateway removes what the authority has, at the same time
                    shutil.rmtree(path)
        except OSError as error:
            raise self._error(error) from error
        return len(torn)

    def _all(self) -> list[Path]:
        try:
            return evidence_folders(self._folder)
        except OSError as error:
            raise self._error(error) from error

    def _check_room(self, size: int) -> None:
        try:
            make_folder(self._folder)
            held = sum(map(size_bytes, self._all()))
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise self._error(error) from error
        if held + size > self._bytes_max:
            sentence = f"{self._folder}: holds {held} bytes of evidence, at most {self._bytes_max}"
            raise EvidenceFullError(f"{sentence}; see that the authority takes it (`wayside authority run`)")
        if free < size + DISK_RESERVE_BYTES:
            raise EvidenceFullError(
                f"{self._folder}: the disk has less than {DISK_RESERVE_BYTES >> 20} MiB to spare; free some"
            )

    def _write(self, name: str, files: Mapping[str, bytes]) -> None:
        draft = self._folder / f".new-{name}"
        try:
            draft.mkdir(mode=FOLDER_MODE)
            for file, content in files.items():
                write_durably(draft / file, content)
                self._step("evidence.file-written")
            sync_directory(draft)
            draft.rename(self._folder / name)
            self._step("evidence.renamed")
            sync_directory(self._folder)
        except OSError as error:
            # Whichever name it has by now: without its reading nobody may find it.
            for left in (draft, self._folder / name):
                shutil.rmtree(left, ignore_errors=True)
            raise self._error(error) from error
        self._step("evidence.kept")

    def _error(self, error: OSError) -> EvidenceError:
        if error.errno in _FULL:
            return EvidenceFullError(f"{self._folder}: the disk is full; free some of it")
        return EvidenceError(f"{self._folder}: cannot be used ({error.strerror}); see to the disk")
