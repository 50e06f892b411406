"""Right inputs to begin with: frames of the simulators, and real ones where the corpora are."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
_ROOT = Path(__file__).parents[2]


def corpus(pattern: str) -> list[bytes]:
    """The real files that match, in a steady order; none where there are no corpora."""
    folder = _ROOT / os.environ.get("WAYSIDE_CORPORA", "../shared/corpora")
    return [path.read_bytes() for path in sorted(folder.glob(pattern))]
