"""Target: what an authority and an office read of evidence that came over a broker, and a gateway of their answers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacl.public import PrivateKey

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.manifest import parse_manifest
from devices.camera.evidence.sealed import open_sealed, parse_sealed
from devices.camera.evidence.sets import unpack_raw, unpack_working
from edge.evidence.messages import Answer, Refusal, parse_answer, parse_offer
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.kept import make_kept, parse_kept
from ledger_sync.proof.keyfile import SecretKey
from tests.fuzz.target import Subject, Target

if TYPE_CHECKING:
    from collections.abc import Callable

STORED = json.loads((Path(__file__).parents[1] / "devices/camera/evidence/evidence.json").read_text(encoding="utf-8"))
ID = bytes.fromhex(STORED["id"])
_PARSERS: tuple[Callable[[bytes], Any], ...] = (
    parse_manifest,
    parse_sealed,
    lambda data: unpack_working(data, ID),
    lambda data: unpack_raw(data, ID),
    parse_offer,
    parse_answer,
    parse_kept,
)


class EvidenceSubject(Subject):
    """The first byte says which of the parsers reads the rest."""

    def feed(self, data: bytes) -> list[Any]:
        if not data:
            return []
        try:
            return [_PARSERS[data[0] % len(_PARSERS)](data[1:])]
        except (EvidenceFormatError, ProofError) as error:
            self.count_error(error)
            return []


def _messages() -> list[bytes]:
    files = {name: base64.b64decode(content) for name, content in STORED["files"].items()}
    keys = {role: [PrivateKey(bytes.fromhex(one["secret"]))] for role, one in STORED["keys"].items()}
    sealed = [files["working.sealed"], files["raw.sealed"]]
    answers = [Answer(bytes(32), {"working": 1, "raw": 2}).encode(), Answer(bytes(32), refusal=Refusal.FULL).encode()]
    kept = make_kept("demo", "traffic-1", 1, files["statement.cose"], files["manifest.cbor"], SecretKey(bytes(32)))
    working, raw = (open_sealed(parse_sealed(one), keys) for one in sealed)
    by_parser = ([files["manifest.cbor"]], sealed, [working], [raw], [base64.b64decode(STORED["offer"])], answers)
    rows = [*by_parser, [kept]]
    return [bytes((number,)) + message for number, messages in enumerate(rows) for message in messages]


EVIDENCE = (
    Target(
        "evidence",
        EvidenceSubject,
        _messages,
        lambda: _messages()[0],
        comes_in_pieces=False,
        all_recordable=False,  # it is no reading
        tokens=(b"wayside-sealed-1", b"\x58\x20", b"\x50", b"working", b"raw", b"\x1a\x7f\xff\xff\xff"),
    ),
)
