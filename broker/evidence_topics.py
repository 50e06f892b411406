"""Which evidence a topic is about: the addresses of the table's evidence rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from broker.topics import EVIDENCE_CHUNK, ROOT, gateway_topic
from ledger_sync.proof.names import city_problem, id_problem

if TYPE_CHECKING:
    from broker.topics import Topic

OFFSET_MAX = (1 << 31) - 1

_ID = re.compile(r"[0-9a-f]{32}")
_OBJECT = re.compile(r"[a-z]{1,16}")
_OFFSET = re.compile(r"0|[1-9][0-9]{0,9}")


class EvidenceAddress(NamedTuple):
    """Evidence of a gateway, by its id of 32 hexadecimal digits; of a chunk also its object and offset in bytes."""

    gateway: str
    evidence: str
    object: str = ""
    offset: int = 0


def evidence_topic(row: Topic, city: str, address: EvidenceAddress) -> str:
    """The full topic of an evidence row. Raises ValueError for names or numbers that cannot stand in one."""
    topic = gateway_topic(row, city, address.gateway).replace("<id>", address.evidence)
    topic = topic.replace("<object>", address.object).replace("<offset>", str(address.offset))
    if parse_evidence_topic(row, city, topic) != address:
        raise ValueError(f"evidence {address.evidence[:40]!r} of {address.gateway} has no such topic")
    return topic


def evidence_filter(row: Topic, city: str, gateway: str | None = None) -> str:
    """The subscription to all of an evidence row: one gateway's, or every gateway's when none is named.

    Raises ValueError for a name that cannot be a topic level.
    """
    problem = city_problem(city) or (id_problem(gateway) if gateway is not None else None)
    if problem:
        raise ValueError(f"a name {problem}")
    return f"{ROOT}/{city}/{re.sub('<[a-z]+>', '+', row.pattern.replace('<gateway>', gateway or '+'))}"


def parse_evidence_topic(row: Topic, city: str, topic: str) -> EvidenceAddress | None:
    """The evidence that a received topic of this row names; None for any other or malformed topic.

    Strict: one spelling each, so that `evidence_topic` gives `topic` back.
    """
    root = f"{ROOT}/{city}/"
    levels, expected = topic.removeprefix(root).split("/"), row.pattern.split("/")
    if not topic.startswith(root) or len(levels) != len(expected):
        return None
    found = {name: level for name, level in zip(expected, levels, strict=True) if name.startswith("<")}
    if any(level != name for name, level in zip(expected, levels, strict=True) if name not in found):
        return None
    gateway, evidence = found["<gateway>"], found["<id>"]
    if id_problem(gateway) or not _ID.fullmatch(evidence):
        return None
    if row is not EVIDENCE_CHUNK:
        return EvidenceAddress(gateway, evidence)
    name, offset = found["<object>"], found["<offset>"]
    if not _OBJECT.fullmatch(name) or not _OFFSET.fullmatch(offset) or int(offset) > OFFSET_MAX:
        return None
    return EvidenceAddress(gateway, evidence, name, int(offset))
