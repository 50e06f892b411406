"""Whether something that must stay secret lies in clear in any file, in whatever encoding it is likely to have.

    assert occurrences([tmp_path, *captures], {"plate": "WAY51DE"}) == []

Files are searched as bytes: journal, write-ahead log, logs, pictures, captures of the broker.
"""

from __future__ import annotations

import base64
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

BLOCK_BYTES = 1 << 20
SECRET_BYTES_MIN = 4
"""Shorter ones are found in any large file by chance."""


class Occurrence(NamedTuple):
    """Where a secret stands: the file, the secret's name (never the secret), how it is encoded, at which byte."""

    file: Path
    name: str
    encoding: str
    offset: int


def encodings(secret: str | bytes) -> dict[str, bytes]:
    """The secret's likely spellings. Text also in capitals, in small letters and backwards.

    In base64 a secret has three spellings, by where it begins in a group of three bytes; of each the part that does
    not depend on what stands around it.
    """
    if isinstance(secret, bytes):
        return _spellings("", secret)
    found: dict[str, bytes] = {}
    cases = {"": secret, "upper ": secret.upper(), "lower ": secret.lower(), "reversed ": secret[::-1]}
    for case, text in cases.items():
        found |= _spellings(case, text.encode())
        for codec in ("utf-16-le", "utf-16-be", "utf-32-le"):
            found[f"{case}{codec}"] = text.encode(codec)
        found[f"{case}percent"] = urllib.parse.quote(text).encode()
    return {name: raw for name, raw in found.items() if raw not in {found[one] for one in found if one < name}}


def _spellings(case: str, raw: bytes) -> dict[str, bytes]:
    spellings = {f"{case}plain": raw, f"{case}hex": raw.hex().encode(), f"{case}HEX": raw.hex().upper().encode()}
    for shift in range(3):
        begin = -(-8 * shift // 6)
        end = 8 * (shift + len(raw)) // 6
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            spellings[f"{case}{name}+{shift}"] = encode(bytes(shift) + raw)[begin:end]
    spellings[f"{case}base32"] = base64.b32encode(raw)[: 8 * len(raw) // 5]
    return spellings


def occurrences(places: Iterable[Path], secrets: Mapping[str, str | bytes]) -> list[Occurrence]:
    """Every place where one of `secrets` (name → what it is) stands in a file of `places` (files and folders).

    Fails for a secret so short that it would be found by chance, and where there is no file to look into.
    """
    for name, secret in secrets.items():
        assert len(secret) >= SECRET_BYTES_MIN, f"{name} is too short to be searched for"
    wanted = [(name, how, raw) for name, secret in secrets.items() for how, raw in encodings(secret).items()]
    files = sorted({file for place in places for file in _files(place)})
    assert files, "there is no file to look into"
    return [found for file in files for found in _in_file(file, wanted)]


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    elif place.is_file():
        yield place


def _in_file(file: Path, wanted: list[tuple[str, str, bytes]]) -> Iterator[Occurrence]:
    """In blocks that overlap by the longest spelling, so that none hides at an edge."""
    overlap = max(len(raw) for _, _, raw in wanted) - 1
    seen: set[Occurrence] = set()
    with file.open("rb") as stream:
        offset, tail = 0, b""
        while block := stream.read(BLOCK_BYTES):
            window = tail + block
            for name, how, raw in wanted:
                at = window.find(raw)
                if at >= 0:
                    seen.add(Occurrence(file, name, how, offset - len(tail) + at))
            offset += len(block)
            tail = window[len(window) - overlap :]
    yield from sorted(seen, key=lambda one: one.offset)
