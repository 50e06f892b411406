"""In which order files became durable: what `fsync` was called for, and what was renamed, in this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def watch_durability(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on: `fsync NAME` and `rename OLD NEW` as they happen; of a path its last part."""
    happened: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor: int) -> None:
        happened.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def watched_rename(self: Path, target: Path) -> Path:
        happened.append(f"rename {self.name} {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    return happened
