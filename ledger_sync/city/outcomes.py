"""What becomes of an anchor that was submitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_sync.proof.receipt import RefusalReason


@dataclass(frozen=True, slots=True)
class Registered:
    """The anchor is in the log, at this index; perhaps it has been for long."""

    entry: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The anchor does not enter the log. `sentence` is for its gateway's operator."""

    reason: RefusalReason
    sentence: str
    anchor_hash: bytes
