"""A certified vendor box, such as an approved speed camera: the folders of evidence that it leaves in a directory.

The gateway takes nothing out of them and changes nothing: it signs a digest of what is there, so that nobody can
exchange it later unseen.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Origin, Reading, WireCounters, WireRole
from devices.evidence.package_folder import PackageFolder, Rules
from devices.evidence.package_manifest import StoppedError
from ledger_sync.proof.settings import parse_folder, setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.evidence.package_manifest import Manifest

NAME_CHARACTERS_MAX = 128
_MIB = 1 << 20


def _check_marker(marker: str) -> str | None:
    if not marker or "/" in marker or "\0" in marker or marker in (".", ".."):
        return f"is {marker!r}; must be the name of a file, without folders"
    return None


@dataclass(frozen=True)
class PackageSettings:
    """Keys of a `[[device]]` with `driver = "package"`."""

    folder: Path = setting(doc="the directory with a sub-folder for each package", parse=parse_folder)
    settle_s: float = setting(
        5.0, doc="a package is whole when its names, sizes and times stayed for so long", minimum=0.1, maximum=3600
    )
    marker: str | None = setting(None, doc="a file whose presence says that a package is whole", check=_check_marker)
    poll_s: float = setting(2.0, doc="seconds from one look to the next", minimum=0.1, maximum=3600)
    size_max_mb: int = setting(4096, doc="how large a package may be", minimum=1, maximum=1 << 20)
    record_name: bool = setting(default=False, doc="true: record the sub-folder's name; it must hold no plate")


class Package:
    """Driver of one directory: an `evidence.package` for each sub-folder that is whole, and again when it changed."""

    Settings: ClassVar[type[PackageSettings]] = PackageSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: PackageSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._folder = self._unseen()
        self._stop = threading.Event()

    async def open(self) -> None:
        """See that the directory is there, and not too full; looks into no package. Raises DeviceError."""
        await self.close()
        # What was told before is told again, and the recorder knows it: the directory may lie on another disk now.
        self._stop, self._folder = threading.Event(), self._unseen()
        await asyncio.to_thread(self._folder.check)

    async def readings(self) -> AsyncIterator[Reading]:
        """The packages in the order in which they were finished. Raises DeviceError when the directory is gone."""
        stop = self._stop
        while True:
            for whole in await asyncio.to_thread(self._folder.find_whole, time.monotonic()):
                try:
                    manifest = await asyncio.to_thread(self._folder.read, whole, time.monotonic(), stop.is_set)
                except StoppedError as error:
                    raise DeviceError(f"{self._settings.folder}: is closed; open it again") from error
                if manifest is not None:
                    self.counters.readings += 1
                    yield self._reading(whole.name, manifest)
            await asyncio.sleep(self._settings.poll_s)

    async def close(self) -> None:
        """Stop reading files; idempotent."""
        self._stop.set()

    def _unseen(self) -> PackageFolder:
        settings = self._settings
        rules = Rules(settings.settle_s, settings.marker, settings.size_max_mb * _MIB)
        return PackageFolder(settings.folder, rules, self.counters)

    def _reading(self, name: str, manifest: Manifest) -> Reading:
        digest = manifest.sha256
        identity = digest.hex()
        data = {"files": manifest.files, "bytes": manifest.size_bytes, "manifest_sha256": digest}
        if self._settings.record_name:
            if _is_tellable(name):
                data["package"] = name
                # The recorder refuses an id that comes again with other data, and two packages may hold the same.
                identity = f"{identity}/{name}"
            else:
                self.counters.errors += 1
                self.counters.last_error = f"{self._settings.folder}: a package's name is no text of 128 characters"
        return Reading("evidence.package", data, Origin.UNPROTECTED, identity, (digest,))


def _is_tellable(name: str) -> bool:
    """Whether a file system's name can stand in an event: it may be no UTF-8."""
    return len(name) <= NAME_CHARACTERS_MAX and not any("\ud800" <= one <= "\udfff" for one in name)
