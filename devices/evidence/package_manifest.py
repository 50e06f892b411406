r"""The manifest of an evidence package: one line a file, by which anybody can tell whether the package is still whole.

    <SHA-256 of the file, 64 lowercase hex digits>  <its size in bytes, decimal>  <its path>\n

Two spaces between; the path is relative to the package, with `/`, in the bytes of the file system (UTF-8 as a rule);
lines are sorted by the bytes of the path. Nothing else is in it: no times, no owners, no empty folders. The same
manifest, without this program:

    find . -type f -printf '%P\0' | LC_ALL=C sort -z | while IFS= read -r -d '' file; do printf '%s  %s  %s\n' \
      "$(sha256sum < "$file" | cut -c 1-64)" "$(stat -c %s "./$file")" "$file"; done

    python -m devices.evidence.package_manifest FOLDER      prints the manifest; 2 where it cannot be made
"""

from __future__ import annotations

import argparse
import hashlib
import os
import stat
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

ENTRIES_MAX = 10_000
DEPTH_MAX = 16
_CHUNK_BYTES = 1 << 20
_TO_READ = os.O_RDONLY | os.O_CLOEXEC
_MEND = "`find -not -type f -not -type d` shows such entries"


class PackageError(Exception):
    """The package cannot be evidence as it is. The sentence names no file: a name may hold a plate."""


class PackageChangedError(Exception):
    """The package changed while it was read: it is not whole yet."""


class StoppedError(Exception):
    """Whoever wanted the manifest wants it no more."""


@dataclass(frozen=True, slots=True)
class Look:
    """A package at a glance. `shape`: a digest of all paths, sizes and times; `newest_ns`: when a file last changed."""

    shape: bytes
    files: int
    size_bytes: int
    newest_ns: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, the number of its files, and their size together."""

    text: bytes
    files: int
    size_bytes: int

    @property
    def sha256(self) -> bytes:
        """The digest that is signed."""
        return hashlib.sha256(self.text).digest()


class _File(NamedTuple):
    path: bytes
    folder: int
    name: str
    facts: os.stat_result


@contextmanager
def opened(folder: Path | str, within: int | None = None) -> Iterator[int]:
    """A folder, as a file descriptor. Raises OSError; within another folder, also for a symbolic link."""
    flags = _TO_READ | os.O_DIRECTORY | (0 if within is None else os.O_NOFOLLOW)
    file = os.open(folder, flags, dir_fd=within)
    try:
        yield file
    finally:
        os.close(file)


def look(package: int) -> Look:
    """A package at a glance, no file opened. Raises PackageError, PackageChangedError."""
    lines, size, newest_ns = [], 0, 0
    with _files(package) as files:
        for path, _, _, facts in files:
            lines.append(b"%s\0%d %d %d" % (path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
            size += facts.st_size
            newest_ns = max(newest_ns, facts.st_mtime_ns)
    return Look(hashlib.sha256(b"\0\0".join(sorted(lines))).digest(), len(lines), size, newest_ns)


def make_manifest(package: int, is_stopped: Callable[[], bool] = lambda: False) -> Manifest:
    """Read every file of a package. Raises PackageError, PackageChangedError, StoppedError."""
    lines, size = [], 0
    with _files(package) as files:
        for file in files:
            digest = _digest(file, is_stopped)
            lines.append((file.path, b"%s  %d  %s\n" % (digest.encode(), file.facts.st_size, file.path)))
            size += file.facts.st_size
    return Manifest(b"".join(line for _, line in sorted(lines)), len(lines), size)


@contextmanager
def _files(package: int) -> Iterator[Iterator[_File]]:
    """All files under a package, in no order; what cannot be read becomes a PackageError."""
    try:
        with closing(_entries(package, b"", 0, iter(range(ENTRIES_MAX)))) as files:
            yield files
    except FileNotFoundError as error:
        raise PackageChangedError from error
    except OSError as error:
        raise PackageError(f"a package cannot be read ({error.strerror}); give the gateway's user access") from error


def _entries(folder: int, prefix: bytes, depth: int, places: Iterator[int]) -> Generator[_File]:
    if depth > DEPTH_MAX:
        raise PackageError(f"a package has folders more than {DEPTH_MAX} deep; flatten it")
    with os.scandir(folder) as entries:
        for entry in entries:
            if next(places, None) is None:
                raise PackageError(f"a package holds more than {ENTRIES_MAX} files and folders; divide it")
            path = prefix + os.fsencode(entry.name)
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                with opened(entry.name, within=folder) as inner:
                    yield from _entries(inner, path + b"/", depth + 1, places)
            elif not stat.S_ISREG(facts.st_mode):
                raise PackageError(f"a package holds a link, a socket or a device; {_MEND}: take them out")
            elif b"\n" in path:
                raise PackageError("a package holds a file with a line break in its name; rename it")
            else:
                yield _File(path, folder, entry.name, facts)


def _digest(file: _File, is_stopped: Callable[[], bool]) -> str:
    """SHA-256 of as many bytes as the file had when it was listed."""
    digest, rest = hashlib.sha256(), file.facts.st_size
    # Not to wait for a writer, should a pipe have taken the file's place.
    handle = os.open(file.name, _TO_READ | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=file.folder)
    try:
        while rest:
            if is_stopped():
                raise StoppedError
            chunk = os.read(handle, min(rest, _CHUNK_BYTES))
            if not chunk:
                raise PackageChangedError
            digest.update(chunk)
            rest -= len(chunk)
    finally:
        os.close(handle)
    return digest.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Print a package's manifest; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m devices.evidence.package_manifest",
        description="The manifest of an evidence package, whose SHA-256 the gateway signed.",
        epilog="example: python -m devices.evidence.package_manifest /var/evidence/case-17 | sha256sum",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args(argv).folder
    try:
        with opened(folder) as package:
            sys.stdout.buffer.write(make_manifest(package).text)
    except OSError as error:
        sys.stderr.write(f"{folder}: cannot be opened ({error.strerror})\n")
    except PackageError as error:
        sys.stderr.write(f"{folder}: {error}\n")
    except PackageChangedError:
        sys.stderr.write(f"{folder}: changed while it was read; try again\n")
    else:
        return 0
    return 2


if __name__ == "__main__":
    sys.exit(main())
