"""Which packages in a folder are whole: their shapes now, and since when they have them.

Blocking, for a worker thread; the clock is the caller's.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from devices.driver import DeviceError
from devices.evidence.package_manifest import (
    Look,
    Manifest,
    PackageChangedError,
    PackageError,
    look,
    make_manifest,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devices.driver import WireCounters

PACKAGES_MAX = 10_000
"""As many as a gateway remembers to have recorded."""
TOLD_LOOKS_A_ROUND = 100
UNREADABLE_RETRY_S = 60.0


@dataclass(slots=True)
class _Package:
    """One sub-folder: the shape it was seen in last and since when, the shape it was told in, what is wrong with it."""

    shape: bytes = b""
    since_s: float = 0.0
    told: bytes = b""
    problem: str = ""


class Whole(NamedTuple):
    """A package that is whole, as it looked."""

    name: str
    look: Look


@dataclass(frozen=True, slots=True)
class Rules:
    """When a package is whole, and how large it may be."""

    settle_s: float
    marker: str | None
    bytes_max: int


class PackageFolder:
    """The packages of one folder. What is wrong with one is counted once, and its name goes nowhere."""

    def __init__(self, folder: Path, rules: Rules, counters: WireCounters) -> None:
        self._folder, self._rules, self._counters = folder, rules, counters
        self._packages: dict[str, _Package] = {}
        self._turn = 0

    def check(self) -> None:
        """Raises DeviceError when the folder cannot be read, or holds too many packages. Looks into none."""
        try:
            with opened(self._folder) as folder:
                self._list(folder)
        except OSError as error:
            raise self.lost(error) from error

    def find_whole(self, now_s: float) -> list[Whole]:
        """The packages that are whole and not told in that shape, in the order in which they were finished.

        Looks at every package that is not told, and in turn at 100 of those that are. Raises DeviceError.
        """
        try:
            with opened(self._folder) as folder:
                self._list(folder)
                looked = [(name, self._look(folder, name, now_s)) for name in self._due()]
        except OSError as error:
            raise self.lost(error) from error
        whole = [Whole(name, seen) for name, seen in looked if seen is not None]
        return sorted(whole, key=lambda one: (one.look.newest_ns, one.name))

    def read(self, whole: Whole, now_s: float, is_stopped: Callable[[], bool]) -> Manifest | None:
        """The manifest of a package that is whole; None if it is not any more, or cannot be read (then later again).

        Raises StoppedError, and DeviceError when the folder is gone.
        """
        package = self._packages[whole.name]
        try:
            with opened(self._folder) as folder, opened(whole.name, within=folder) as file:
                self._check_same(whole, look(file))
                manifest = make_manifest(file, is_stopped)
                self._check_same(whole, look(file))
        except PackageChangedError:
            package.since_s = now_s
        except PackageError as error:
            self._tell(package, str(error))
            # To read gigabytes again only to fail at the same file is for seldom.
            package.since_s = now_s + UNREADABLE_RETRY_S
        except OSError as error:
            if not self._folder.is_dir():
                raise self.lost(error) from error
            package.since_s = now_s
        else:
            package.told, package.problem = whole.look.shape, ""
            return manifest
        return None

    def lost(self, error: OSError) -> DeviceError:
        """The folder cannot be read."""
        return DeviceError(f"{self._folder}: cannot be read ({error.strerror}); make the folder, or correct `folder`")

    def _list(self, folder: int) -> None:
        """Take up new packages, forget those that are gone."""
        with os.scandir(folder) as entries:
            names = {one.name for one in entries if one.name[0] != "." and (one.is_symlink() or one.is_dir())}
        if len(names) > PACKAGES_MAX:
            raise DeviceError(
                f"{self._folder}: holds {len(names)} packages, more than the {PACKAGES_MAX} that a gateway remembers; "
                "move the oldest elsewhere"
            )
        for name in self._packages.keys() - names:
            del self._packages[name]
        for name in names - self._packages.keys():
            self._packages[name] = _Package()

    def _due(self) -> list[str]:
        told = [name for name, package in self._packages.items() if package.told == package.shape != b""]
        begin = self._turn if self._turn < len(told) else 0
        self._turn = begin + TOLD_LOOKS_A_ROUND
        skipped = {*told[:begin], *told[self._turn :]}
        return [name for name in self._packages if name not in skipped]

    def _look(self, folder: int, name: str, now_s: float) -> Look | None:
        """The package's look, if it is whole and not told."""
        package = self._packages[name]
        try:
            with opened(name, within=folder) as file:
                seen = look(file)
                is_marked = self._is_marked(file)
        except PackageError as error:
            self._tell(package, str(error))
            return None
        except (PackageChangedError, FileNotFoundError):  # it is being written, or was moved away just now
            package.shape = b""
            return None
        except OSError as error:
            self._tell(package, f"a package cannot be opened ({error.strerror}); it must be a folder of its own")
            return None
        if seen.shape != package.shape:
            package.shape, package.since_s = seen.shape, now_s
        if seen.shape == package.told or seen.files == 0 or not is_marked:
            return None
        if seen.size_bytes > self._rules.bytes_max:
            self._tell(package, f"a package holds more than {self._rules.bytes_max} bytes; raise size_max_mb")
            return None
        settle_s = self._rules.settle_s if self._rules.marker is None else 0.0
        return seen if now_s - package.since_s >= settle_s else None

    def _is_marked(self, package: int) -> bool:
        if self._rules.marker is None:
            return True
        try:
            return stat.S_ISREG(os.stat(self._rules.marker, dir_fd=package, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    @staticmethod
    def _check_same(whole: Whole, seen: Look) -> None:
        if seen.shape != whole.look.shape:
            raise PackageChangedError

    def _tell(self, package: _Package, problem: str) -> None:
        if problem != package.problem:
            package.problem = problem
            self._counters.errors += 1
            self._counters.last_error = f"{self._folder}: {problem}"
