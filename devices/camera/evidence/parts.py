"""The clear form of a set of evidence: named parts in one run of bytes, padded (FORMAT.md, "Set").

    4 bytes   length of the index, big-endian
    index     CBOR: {1: which set, 2: id of the evidence, 3: 32 random bytes, 4: [[name, size], …]}
    parts     in the index's order
    padding   zeros up to a multiple of 4096 bytes

The random bytes keep the digest of a set, which is public, from confirming a guess at what is in it. The padding keeps
its size from telling the length of a plate.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from devices.camera.evidence.errors import EvidenceFormatError
from ledger_sync.proof import cbor
from ledger_sync.proof.errors import CborError

if TYPE_CHECKING:
    from collections.abc import Mapping

ID_BYTES = 16
BLINDING_BYTES = 32
PAD_BYTES = 4096
PARTS_MAX = 128
INDEX_BYTES_MAX = 16_384
SET_BYTES_MAX = 32 << 20
"""Of a set in clear. The largest holds some dozens of whole frames."""

_LENGTH_BYTES = 4
_PART_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}\.[a-z0-9]{1,8}")
_SET_NAME = re.compile(r"[a-z]{1,16}")


def pack(name: str, evidence_id: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The set called `name`, of the evidence `evidence_id` (16 bytes).

    Raises EvidenceFormatError for names and sizes that no reader would take.
    """
    index = cbor.encode(
        {
            1: name,
            2: evidence_id,
            3: secrets.token_bytes(BLINDING_BYTES),
            4: [[part, len(content)] for part, content in parts.items()],
        }
    )
    _check_index(cbor.decode(index))
    size = _LENGTH_BYTES + len(index) + sum(map(len, parts.values()))
    if len(index) > INDEX_BYTES_MAX or _padded(size) > SET_BYTES_MAX:
        raise EvidenceFormatError(f"a set of {size} bytes; at most {SET_BYTES_MAX} are sealed")
    length = len(index).to_bytes(_LENGTH_BYTES, "big")
    return b"".join((length, index, *parts.values(), bytes(_padded(size) - size)))


def unpack(packed: bytes, name: str, evidence_id: bytes) -> dict[str, bytes]:
    """The parts of a set by name; it must be the set `name` of the evidence `evidence_id`.

    Names are plain file names. Raises EvidenceFormatError.
    """
    if len(packed) > SET_BYTES_MAX:
        raise EvidenceFormatError(f"a set of {len(packed)} bytes; at most {SET_BYTES_MAX} are read")
    begin = _LENGTH_BYTES + int.from_bytes(packed[:_LENGTH_BYTES], "big")
    if not _LENGTH_BYTES < begin <= min(len(packed), _LENGTH_BYTES + INDEX_BYTES_MAX):
        raise EvidenceFormatError("a set whose index has an impossible length")
    try:
        index = cbor.decode(packed[_LENGTH_BYTES:begin])
    except CborError as error:
        raise EvidenceFormatError("a set whose index is no strict CBOR") from error
    sizes = _check_index(index)
    if (index[1], index[2]) != (name, evidence_id):
        raise EvidenceFormatError("a set of another kind, or of other evidence")
    parts = {}
    for part, size in sizes:
        parts[part] = packed[begin : begin + size]
        begin += size
    if len(packed) != _padded(begin) or any(packed[begin:]):
        raise EvidenceFormatError("a set whose parts and padding are not its length")
    return parts


def _padded(size: int) -> int:
    return -(-size // PAD_BYTES) * PAD_BYTES


def _check_index(index: Any) -> list[tuple[str, int]]:
    match index:
        case {1: str(name), 2: bytes(evidence_id), 3: bytes(blinding), 4: list(rows)} if (
            len(index) == 4  # noqa: PLR2004 - the four
            and _SET_NAME.fullmatch(name)
            and len(evidence_id) == ID_BYTES
            and len(blinding) == BLINDING_BYTES
            and 1 <= len(rows) <= PARTS_MAX
        ):
            sizes = [_part(row) for row in rows]
            if len({part for part, _ in sizes}) == len(sizes):
                return sizes
    raise EvidenceFormatError("a set whose index is not {1: name, 2: id, 3: 32 bytes, 4: [[name, size], …]}")


def _part(row: Any) -> tuple[str, int]:
    match row:
        case [str(part), int(size)] if type(size) is int and 0 <= size <= SET_BYTES_MAX and _PART_NAME.fullmatch(part):
            return part, size
    raise EvidenceFormatError("a set with a part whose name or size is out of bounds")
