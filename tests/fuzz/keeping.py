"""Inputs that once broke a parser: kept beside the tests, and tried by them for ever."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.fuzz.judging import check_growth, judge
from tests.fuzz.table import TARGETS

FOLDER = Path(__file__).parent / "finds"


def kept() -> list[Path]:
    """The files of all finds: finds/<target>/<start of its SHA-256>.bin; a .txt beside it says what went wrong."""
    return sorted(FOLDER.glob("*/*.bin"))


def keep(target: str, data: bytes, sentence: str) -> Path:
    """Write a find; the same one again is the same file."""
    path = FOLDER / target / f"{sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(f"{sentence}\n", encoding="utf-8")
    return path


def replay(target: str, data: bytes) -> None:
    """Try one input, alone and over and over. Raises Found."""
    judge(TARGETS[target], data)
    if data:
        check_growth(TARGETS[target], data)
