"""What happens to a source's stream; read by health."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SourceCounters:
    """Since the source was made.

    `frames` came whole and with a time; `dropped` of them nobody took before the next one. `untimed`: pictures left
    out as their stream gave them no time of their own. `damaged`: pictures that could not be read. `openings` and
    `losses` of the stream.
    """

    frames: int = 0
    dropped: int = 0
    untimed: int = 0
    damaged: int = 0
    openings: int = 0
    losses: int = 0
