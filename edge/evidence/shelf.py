"""The evidence that an authority keeps, still sealed, and what is on its way there.

    <data_dir>/evidence/<gateway>/<id>/    complete: statement.cose, manifest.cbor, *.sealed, kept.cose
    <data_dir>/incoming/<gateway>-<id>/    the same without kept.cose; objects as far as they are there

A folder moves from one to the other in one rename, once everything in it is on the disk; so what lies under `evidence`
is what the authority has acknowledged, or would. Blocking: one thread owns it.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import file_digest
from typing import TYPE_CHECKING

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.folder import (
    FILE_MODE,
    FOLDER_MODE,
    KEPT,
    MANIFEST,
    STATEMENT,
    is_evidence_id,
    make_folder,
    read_bounded,
    size_bytes,
    write_durably,
)
from devices.camera.evidence.manifest import MANIFEST_BYTES_MAX, parse_manifest
from edge.evidence.messages import OFFER_BYTES_MAX, Offer
from ledger_sync.proof.durable import sync_directory
from ledger_sync.proof.kept import KEPT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from devices.camera.evidence.manifest import Manifest, ManifestObject

INCOMING_MAX = 64
INCOMING_OF_A_GATEWAY_MAX = 2
"""A gateway sends one at a time; another may be left from before its disk was changed."""
STALE_S = 3600.0
DISK_RESERVE_BYTES = 64 << 20
_DRAFT = ".new"


class ShelfBusyError(Exception):
    """As many sets are half received as may be."""


class ShelfFullError(Exception):
    """There is no room for the set: the cap is reached, or the disk is full."""


@dataclass(slots=True)
class Incoming:
    """A set that is being received: `received` bytes of each object are there, in order from the first.

    `unanswered`: chunks since the gateway was told.
    """

    gateway: str
    folder: Path
    offer: Offer
    manifest: Manifest
    received: dict[str, int] = field(default_factory=dict)
    touched_s: float = field(default_factory=time.monotonic)
    unanswered: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every object has its length."""
        return all(self.received[one.name] == one.sealed_bytes for one in self.manifest.objects)


class Shelf:
    """All evidence of one authority. `step` is called where a crash matters."""

    def __init__(self, data_dir: Path, bytes_max: int, step: Callable[[str], None] = lambda _: None) -> None:
        """Takes up what is there. Raises OSError."""
        self._kept, self._incoming_dir = data_dir / "evidence", data_dir / "incoming"
        self._bytes_max, self._step = bytes_max, step
        for folder in (self._kept, self._incoming_dir):
            make_folder(folder)
        self.incoming = {(one.gateway, one.folder.name[-32:]): one for one in self._take_up()}
        self.kept_bytes = sum(size_bytes(folder) for gateway in self._kept.iterdir() for folder in gateway.iterdir())

    def _take_up(self) -> Iterator[Incoming]:
        for folder in list(self._incoming_dir.iterdir()):
            try:
                incoming = _read_incoming(folder)
            except (FileNotFoundError, EvidenceFormatError):
                shutil.rmtree(folder)  # torn when it was begun or removed: it is offered again
            else:
                yield incoming

    def acknowledgement(self, gateway: str, evidence_id: str) -> tuple[Offer, bytes] | None:
        """The offer and acknowledgement of evidence that is kept. Raises OSError and EvidenceFormatError."""
        folder = self._kept / gateway / evidence_id
        if not is_evidence_id(evidence_id) or not folder.exists():
            return None
        statement = read_bounded(folder / STATEMENT, OFFER_BYTES_MAX)
        manifest = read_bounded(folder / MANIFEST, MANIFEST_BYTES_MAX)
        kept = read_bounded(folder / KEPT, KEPT_BYTES_MAX)
        # The process may have been killed before this, and the gateway will delete its copy.
        sync_directory(folder.parent)
        return Offer(statement, manifest), kept

    def begin(self, gateway: str, offer: Offer, manifest: Manifest) -> Incoming:
        """Make room for a set. Raises ShelfBusyError, ShelfFullError and OSError."""
        self._make_place(gateway)
        reserved = sum(one.manifest.sealed_bytes for one in self.incoming.values())
        size = manifest.sealed_bytes
        if self.kept_bytes + reserved + size > self._bytes_max:
            raise ShelfFullError(f"{self._kept}: holds {self.kept_bytes} bytes; raise size_max_mb")
        if shutil.disk_usage(self._kept).free < reserved + size + DISK_RESERVE_BYTES:
            raise ShelfFullError(f"{self._kept}: the disk is full; free some of it")
        folder = self._incoming_dir / f"{gateway}-{manifest.id.hex()}"
        draft = self._incoming_dir / f"{_DRAFT}-{manifest.id.hex()}"
        for left in (draft, folder):  # a folder that could not be removed when its set was given up
            shutil.rmtree(left, ignore_errors=True)
        draft.mkdir(mode=FOLDER_MODE)
        for name, content in ((STATEMENT, offer.statement), (MANIFEST, offer.manifest)):
            write_durably(draft / name, content)
        draft.rename(folder)
        received = dict.fromkeys((one.name for one in manifest.objects), 0)
        begun = self.incoming[gateway, manifest.id.hex()] = Incoming(gateway, folder, offer, manifest, received)
        self._step("shelf.begun")
        return begun

    def _make_place(self, gateway: str) -> None:
        """Give up the oldest set of the same gateway, or one that nobody has sent anything of for an hour."""
        own = [one for one in self.incoming.values() if one.gateway == gateway]
        if len(own) >= INCOMING_OF_A_GATEWAY_MAX:
            self.give_up(min(own, key=lambda one: one.touched_s))
        if len(self.incoming) >= INCOMING_MAX:
            oldest = min(self.incoming.values(), key=lambda one: one.touched_s)
            if time.monotonic() - oldest.touched_s < STALE_S:
                raise ShelfBusyError(f"{len(self.incoming)} sets are half received")
            self.give_up(oldest)

    def append(self, incoming: Incoming, name: str, content: bytes) -> None:
        """Take the next bytes of an object. Raises OSError; what was received before stays."""
        path = incoming.folder / f"{name}.sealed"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            offset = incoming.received[name]
            written = 0
            while written < len(content):
                written += os.pwrite(descriptor, content[written:], offset + written)
        finally:
            os.close(descriptor)
        incoming.received[name] += len(content)
        incoming.touched_s = time.monotonic()
        incoming.unanswered += 1
        self._step("shelf.appended")

    def altered(self, incoming: Incoming) -> list[ManifestObject]:
        """The objects of a complete set whose bytes are not those of the manifest; they are to be sent anew.

        Raises OSError.
        """
        found = []
        for one in incoming.manifest.objects:
            with (incoming.folder / one.file_name).open("rb") as file:
                if file_digest(file, "sha256").digest() != one.sealed_sha256:
                    found.append(one)
        for one in found:
            (incoming.folder / one.file_name).unlink()
            incoming.received[one.name] = 0
        return found

    def keep(self, incoming: Incoming, acknowledgement: bytes) -> None:
        """Put a complete set among what is kept; durable on return. Raises OSError."""
        folder = incoming.folder
        for one in incoming.manifest.objects:
            _sync(folder / one.file_name)
        (folder / KEPT).unlink(missing_ok=True)
        write_durably(folder / KEPT, acknowledgement)
        sync_directory(folder)
        self._step("shelf.written")
        shelf = self._kept / incoming.gateway
        make_folder(shelf)
        target = shelf / incoming.manifest.id.hex()
        folder.rename(target)
        self._step("shelf.renamed")
        sync_directory(shelf)
        sync_directory(self._incoming_dir)
        del self.incoming[incoming.gateway, target.name]
        self.kept_bytes += size_bytes(target)

    def give_up(self, incoming: Incoming) -> None:
        """Forget a set that is not complete. Raises OSError."""
        del self.incoming[incoming.gateway, incoming.manifest.id.hex()]
        with suppress(FileNotFoundError):  # a disk that failed just after it was put among what is kept
            shutil.rmtree(incoming.folder)


def _read_incoming(folder: Path) -> Incoming:
    """A set that an earlier process began to receive. Raises EvidenceFormatError and OSError."""
    gateway, evidence_id = folder.name[:-33], folder.name[-32:]
    statement = read_bounded(folder / STATEMENT, OFFER_BYTES_MAX)
    offer = Offer(statement, read_bounded(folder / MANIFEST, MANIFEST_BYTES_MAX))
    manifest = parse_manifest(offer.manifest)
    if manifest.id.hex() != evidence_id or folder.name.startswith(_DRAFT):
        raise EvidenceFormatError(f"{folder.name} is not what its name says")
    received = {one.name: _size(folder / one.file_name, one) for one in manifest.objects}
    return Incoming(gateway, folder, offer, manifest, received)


def _size(path: Path, one: ManifestObject) -> int:
    """Bytes of a file that is being received; one that is too long is none of ours."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size > one.sealed_bytes:
        raise EvidenceFormatError(f"{path.name} is longer than its object")
    return size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
