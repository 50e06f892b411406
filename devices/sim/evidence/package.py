"""A simulated vendor box that leaves a folder of evidence for each case in a directory."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.interval import each_interval

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.device import Placement, Truth

_PAUSE_S = 0.05
_AWAY_S = 0.3
_KEPT = 500
_SETTLE_S = 1.0
_POLL_S = 0.2
_PLATE_LETTERS = "BDFGHJKLNPRSTVXZ"


class PackageBox:
    """Kind `evidence-package`: a case every interval, named after a plate, as careless boxes do.

    Some are written under a name with a dot and renamed, others slowly in place. With the option `marker` (a file's
    name) each gets that file last. The newest 500 are kept. The truth has a package when it is whole: with its marker,
    or when it has lain for a second.

    Faults, a case: truncate is one that is never finished, noise another one with a symbolic link in it (which makes
    it no evidence), unplug takes the whole directory away for a while.
    """

    kind: ClassVar[str] = "evidence-package"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._random = random.Random(placement.seed)
        self._marker = placement.options.get("marker")
        self._folder = placement.folder / placement.id
        self._finished: list[Path] = []
        self._lying: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the directory."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        settings = {"driver": "package", "folder": str(self._folder), "settle_s": _SETTLE_S, "poll_s": _POLL_S}
        return settings if self._marker is None else settings | {"marker": self._marker}

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            await each_interval(self._placement.real_interval_s, self._case, seed=self._placement.seed)
        finally:
            for one in self._lying:
                one.cancel()

    async def _case(self) -> None:
        rates = self._placement.faults
        if self._random.random() < rates.noise:
            await self._write(self._folder / self._name(), self._contents(), with_link=True)
        contents, name = self._contents(), self._name()
        if self._random.random() < rates.truncate:
            unfinished = name if self._marker else f".{name}"
            await self._write(self._folder / unfinished, dict(list(contents.items())[:1]))
            return
        if self._random.random() < 0.5:  # noqa: PLR2004 - half of them
            await self._write(self._folder / f".{name}", contents)
            (self._folder / f".{name}").rename(self._folder / name)
        else:
            await self._write(self._folder / name, contents)
        self._finish(self._folder / name, contents)
        if self._random.random() < rates.unplug:
            away = self._folder.with_name(f"{self._folder.name}.away")
            self._folder.rename(away)
            await asyncio.sleep(_AWAY_S)
            away.rename(self._folder)

    def _name(self) -> str:
        letters = "".join(self._random.choices(_PLATE_LETTERS, k=4))
        return f"{letters}-{self._random.randint(100, 999)}_{self._random.randrange(10**6):06}"

    def _contents(self) -> dict[str, bytes]:
        files = {"case.xml": self._random.randbytes(self._random.randint(0, 2000))}
        for number in range(self._random.randint(1, 4)):
            files[f"images/{number}.jpg"] = self._random.randbytes(self._random.randint(1, 20_000))
        return files

    async def _write(self, package: Path, contents: dict[str, bytes], *, with_link: bool = False) -> None:
        """File after file, each in two halves, with pauses."""
        (package / "images").mkdir(parents=True)
        if with_link:
            (package / "images" / "latest.jpg").symlink_to("0.jpg")
        for path, data in contents.items():
            half = self._random.randint(0, len(data))
            with (package / path).open("wb") as file:
                file.write(data[:half])
                file.flush()
                await asyncio.sleep(self._random.uniform(0, _PAUSE_S))
                file.write(data[half:])

    def _finish(self, package: Path, contents: dict[str, bytes]) -> None:
        if self._marker is not None:
            contents[self._marker] = b""
            (package / self._marker).touch()
        rows = sorted((path.encode(), data) for path, data in contents.items())
        manifest = hashlib.sha256()
        for path, data in rows:
            manifest.update(hashlib.sha256(data).hexdigest().encode() + f"  {len(data)}  ".encode() + path + b"\n")
        told = {
            "files": len(rows),
            "bytes": sum(len(data) for _, data in rows),
            "manifest_sha256": manifest.hexdigest(),
        }
        lying = asyncio.create_task(self._tell(told))
        self._lying.add(lying)
        lying.add_done_callback(self._lying.discard)
        self._finished.append(package)
        if len(self._finished) > _KEPT:
            shutil.rmtree(self._finished.pop(0))

    async def _tell(self, data: dict[str, Any]) -> None:
        if self._marker is None:
            await asyncio.sleep(_SETTLE_S)
        self._truth.add(self._placement.id, "evidence.package", data, sure=True)
