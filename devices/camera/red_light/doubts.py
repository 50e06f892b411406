"""Why a vehicle that may have run a red light is let go."""

from __future__ import annotations

import enum


class Doubt(enum.StrEnum):
    """`RED_LIGHT.md` tells what each keeps out."""

    GAP = "gap"
    OFFLINE = "offline"
    CLOCK = "clock"
    UNSYNCED = "unsynced"
    AMBIGUOUS = "ambiguous"
    COARSE = "coarse"
    LATE = "late"
    LONG_RED = "long_red"
    TRACK = "track"
    UNDECIDED = "undecided"
