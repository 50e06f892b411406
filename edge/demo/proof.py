"""One tap proven offline, and what a single altered bit in it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.journal.reader import JournalReader
from edge.prove import prove
from ledger_sync.proof.errors import RefusedError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.report import as_text
from ledger_sync.proof.trust import load_trust
from ledger_sync.proof.verify import verify, verify_file

from .errors import DemoFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_sync.proof.verify import Proven

    from .places import Places


@dataclass(frozen=True, slots=True)
class TapProof:
    """A transparent statement in a file, what it proves, and the refusal of its copy with bit 0 of one byte flipped."""

    path: Path
    size_bytes: int
    proven: Proven
    report: str
    flipped_byte: int
    refusal: RefusedError


def prove_tap(places: Places, token: str) -> TapProof:
    """Prove the tap with this token, and verify it with nothing but its file and the trust file.

    Raises DemoFailedError when it is not in the journal, when its proof is refused, or an altered one is not.
    """
    with JournalReader(places.journal) as reader:
        sequence = _sequence_of(reader, token)
        statement = prove(reader, sequence)
    path = places.directory / f"event-{sequence}.cose"
    path.write_bytes(statement)
    trust = load_trust(places.trust_toml)
    try:
        proven = verify_file(path, trust)
    except RefusedError as error:
        raise DemoFailedError(f"the proof {path} is refused ({error.reason}): {error}") from error
    place = statement.index(token.encode())
    altered = bytearray(statement)
    altered[place] ^= 1
    try:
        verify(bytes(altered), trust)
    except RefusedError as refusal:
        return TapProof(path, len(statement), proven, as_text(proven), place, refusal)
    raise DemoFailedError(f"the proof {path} is still accepted with byte {place} altered")


def _sequence_of(reader: JournalReader, token: str) -> int:
    for summary in reader.events():
        if token.encode() in summary.statement and parse_event(summary.statement).data.get("token") == token:
            return summary.sequence
    raise DemoFailedError(f"the tap {token} is not in the journal {reader.path}")
