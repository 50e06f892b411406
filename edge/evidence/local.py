"""The evidence of all devices on a gateway's disk: what waits for the authority, and what may go. Blocking."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devices.camera.evidence.folder import KEPT, RECORDED, REFUSED, evidence_folders, size_bytes
from ledger_sync.proof.durable import sync_directory

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Inventory:
    """What there is. `pending` and `acknowledged` are folders, oldest first; `oldest_s` is UTC seconds.

    `unrecorded` wait for their event; `refused` never get one, and stay.
    """

    pending: list[Path] = field(default_factory=list)
    acknowledged: list[tuple[float, Path]] = field(default_factory=list)
    unrecorded: int = 0
    refused: int = 0
    bytes: int = 0
    oldest_s: float | None = None


class LocalEvidence:
    """The evidence below `folder`, in a folder for each device."""

    def __init__(self, folder: Path, delete_after_s: float, bytes_max: int) -> None:
        self._folder, self._delete_after_s, self._bytes_max = folder, delete_after_s, bytes_max

    def take_stock(self) -> Inventory:
        """Look at everything, having removed what may go. Raises OSError."""
        inventory = Inventory()
        if not self._folder.is_dir():
            return inventory
        for device in sorted(one for one in self._folder.iterdir() if one.is_dir()):
            for folder in evidence_folders(device):
                with suppress(FileNotFoundError):
                    _count_in(inventory, folder)
        inventory.acknowledged.sort()
        self._remove_due(inventory)
        return inventory

    def _remove_due(self, inventory: Inventory) -> None:
        for kept_at, folder in list(inventory.acknowledged):
            if time.time() - kept_at < self._delete_after_s and inventory.bytes <= self._bytes_max:
                return
            inventory.bytes -= size_bytes(folder)
            inventory.acknowledged.remove((kept_at, folder))
            _remove(folder)


def _count_in(inventory: Inventory, folder: Path) -> None:
    inventory.bytes += size_bytes(folder)
    if (folder / KEPT).exists():
        inventory.acknowledged.append(((folder / KEPT).stat().st_mtime, folder))
    elif (folder / RECORDED).exists():
        inventory.pending.append(folder)
        begun_s = (folder / RECORDED).stat().st_mtime
        inventory.oldest_s = min(begun_s, inventory.oldest_s or begun_s)
    elif (folder / REFUSED).exists():
        inventory.refused += 1
    else:
        inventory.unrecorded += 1


def _remove(folder: Path) -> None:
    """A crash leaves the folder, or one whose name says that it means nothing; a camera's start removes that."""
    gone = folder.with_name(f".gone-{folder.name}")
    folder.rename(gone)
    sync_directory(folder.parent)
    shutil.rmtree(gone)
