"""A vendor box's directory and a driver of it, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devices.evidence.package import Package
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from pathlib import Path

PLATE = "KX-714-ZT"
SETTLE_S, POLL_S = 0.15, 0.1


def make(folder: Path, **keys: Any) -> Package:
    """The driver with these keys; quick, where they say nothing else."""
    problems = Problems()
    table = {"folder": str(folder), "settle_s": SETTLE_S, "poll_s": POLL_S} | keys
    settings = read_settings(Package.Settings, table, problems)
    assert settings is not None, problems
    return Package("box-1", settings)


def leave(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a package."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder
