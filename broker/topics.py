"""The one table of MQTT topics; `python -m broker.topics` prints it as TOPICS.md.

Only rows that code uses stand here. Every topic is below `wayside/v1/<city>`; a gateway writes only below
`up/<gateway>` and reads only below `dn/<gateway>`, so that a broker's access rules need no deny.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from broker.publication import Publication
from ledger_sync.proof.names import JOURNAL_ID_BYTES, city_problem, id_problem

ROOT = "wayside/v1"
BATCH_MAX = 2**63 - 1

JSON = "application/json"
CBOR = "application/cbor"
OCTETS = "application/octet-stream"
COSE_SIGN1 = 'application/cose; cose-type="cose-sign1"'
"""RFC 9052 section 11.3.1; a receipt and a refusal share a topic and are told apart by their typ."""

_JOURNAL = re.compile(rf"[0-9a-f]{{{2 * JOURNAL_ID_BYTES}}}")
_BATCH = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Topic:
    """One row. `pattern` is what follows the city; `expiry_intervals` is in health intervals, `expiry_s` in seconds."""

    name: str
    pattern: str
    sentence: str
    qos: int
    retain: bool
    content_type: str
    writer: str
    reader: str
    expiry_s: int | None = None
    expiry_intervals: int = 0

    def publication(self, topic: str, payload: bytes, *, expiry_s: int | None = None) -> Publication:
        """`payload` on `topic` with this row's QoS, retain flag and content type; `expiry_s` replaces the row's."""
        return Publication(
            topic, payload, self.qos, self.retain, self.expiry_s if expiry_s is None else expiry_s, self.content_type
        )


STATUS = Topic(
    name="status",
    pattern="up/<gateway>/status",
    sentence='`{"state": "online" or "offline", "boot", "since"}`; also the Will.',
    qos=1,
    retain=True,
    content_type=JSON,
    writer="gateway",
    reader="operators",
)
HEALTH = Topic(
    name="health",
    pattern="up/<gateway>/health",
    sentence="Backlog, last anchor and receipt, clock, disk, counters, each device's last reading.",
    qos=0,
    retain=True,
    content_type=JSON,
    writer="gateway",
    reader="operators",
    expiry_intervals=3,
)
ANCHOR = Topic(
    name="anchor",
    pattern="up/<gateway>/anchor/<journal>/<batch>",
    sentence="An anchor: the gateway's COSE_Sign1 about one batch.",
    qos=1,
    retain=False,
    content_type=COSE_SIGN1,
    writer="gateway",
    reader="ledger",
)
RECEIPT = Topic(
    name="receipt",
    pattern="dn/<gateway>/receipt/<journal>/<batch>",
    sentence="The ledger's receipt for that anchor, or its signed refusal.",
    qos=1,
    retain=False,
    content_type=COSE_SIGN1,
    writer="ledger",
    reader="gateway",
    expiry_s=7 * 24 * 3600,
)
EVIDENCE_OFFER = Topic(
    name="evidence-offer",
    pattern="up/<gateway>/evidence/<id>/offer",
    sentence="An event's statement, and the manifest of the evidence that it signs; again until there is an answer.",
    qos=1,
    retain=False,
    content_type=CBOR,
    writer="gateway",
    reader="authority",
    expiry_s=60,
)
EVIDENCE_CHUNK = Topic(
    name="evidence-chunk",
    pattern="up/<gateway>/evidence/<id>/<object>/<offset>",
    sentence="Bytes of a sealed object, from that offset on; sent as the authority asks for them.",
    qos=1,
    retain=False,
    content_type=OCTETS,
    writer="gateway",
    reader="authority",
    expiry_s=60,
)
EVIDENCE_ANSWER = Topic(
    name="evidence-answer",
    pattern="dn/<gateway>/evidence/<id>",
    sentence="How many bytes of each object the authority has, or why it takes none. Not signed: it frees nothing.",
    qos=1,
    retain=False,
    content_type=CBOR,
    writer="authority",
    reader="gateway",
    expiry_s=60,
)
EVIDENCE_KEPT = Topic(
    name="evidence-kept",
    pattern="dn/<gateway>/kept/evidence/<id>",
    sentence="The authority's COSE_Sign1: statement and evidence are stored. Only this frees the gateway's copy.",
    qos=1,
    retain=False,
    content_type=COSE_SIGN1,
    writer="authority",
    reader="gateway",
    expiry_s=7 * 24 * 3600,
)
TOPICS = (STATUS, HEALTH, ANCHOR, RECEIPT, EVIDENCE_OFFER, EVIDENCE_CHUNK, EVIDENCE_ANSWER, EVIDENCE_KEPT)


@dataclass(frozen=True, slots=True)
class BatchAddress:
    """Which batch an anchor or receipt is about: the gateway's id, the journal's 16 bytes, the batch from 1."""

    gateway: str
    journal: bytes
    batch: int


def gateway_topic(row: Topic, city: str, gateway: str) -> str:
    """The full topic of STATUS or HEALTH. Raises ValueError for a name that cannot be a topic level."""
    _require(city, gateway)
    return f"{ROOT}/{city}/{row.pattern.replace('<gateway>', gateway)}"


def batch_topic(row: Topic, city: str, address: BatchAddress) -> str:
    """The full topic of ANCHOR or RECEIPT. Raises ValueError for names or numbers that cannot stand in one."""
    if len(address.journal) != JOURNAL_ID_BYTES or not 1 <= address.batch <= BATCH_MAX:
        raise ValueError(f"batch {address.batch} of journal {address.journal.hex()} has no topic")
    below = gateway_topic(row, city, address.gateway)
    return below.replace("<journal>", address.journal.hex()).replace("<batch>", str(address.batch))


def batch_filter(row: Topic, city: str, gateway: str | None = None) -> str:
    """The subscription to all batches of ANCHOR or RECEIPT: one gateway's, or every gateway's when none is named.

    Raises ValueError for a name that cannot be a topic level.
    """
    _require(city, gateway)
    levels = row.pattern.replace("<gateway>", gateway or "+").replace("<journal>", "+").replace("<batch>", "+")
    return f"{ROOT}/{city}/{levels}"


def parse_batch_topic(row: Topic, city: str, topic: str) -> BatchAddress | None:
    """The batch that a received topic of ANCHOR or RECEIPT names; None for any other or malformed topic.

    Strict: one spelling a batch (no leading zeros, lower-case hex), so that `batch_topic` gives `topic` back.
    """
    root = f"{ROOT}/{city}/"
    if not topic.startswith(root):
        return None
    levels = topic.removeprefix(root).split("/")
    expected = row.pattern.split("/")
    if len(levels) != len(expected) or (levels[0], levels[2]) != (expected[0], expected[2]):
        return None
    _, gateway, _, journal, batch = levels
    if id_problem(gateway) or not _JOURNAL.fullmatch(journal) or not _BATCH.fullmatch(batch):
        return None
    if int(batch) > BATCH_MAX:
        return None
    return BatchAddress(gateway, bytes.fromhex(journal), int(batch))


def _require(city: str, gateway: str | None) -> None:
    problem = city_problem(city)
    if problem:
        raise ValueError(f"city {problem}")
    problem = id_problem(gateway) if gateway is not None else None
    if problem:
        raise ValueError(f"gateway {problem}")


def topics_markdown() -> str:
    """TOPICS.md, from the table."""
    lines = [
        "# Topics",
        "",
        "Generated by `python -m broker.topics > broker/TOPICS.md`; edit the table in `topics.py`.",
        "",
        f"All topics are below `{ROOT}/<city>`. `<gateway>`: 1 to 32 of a-z, 0-9 and hyphen. `<journal>`: 32",
        "lower-case hex digits, as is `<id>`, which names evidence. `<batch>`: a decimal number from 1, `<offset>` one",
        "from 0, without leading zeros. `<object>`: 1 to 16 of a-z. MQTT 5 only.",
        "",
        "| name | topic | what | QoS | retained | expiry | content type | writer → reader |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | `{row.pattern}` | {row.sentence} | {row.qos} | {'yes' if row.retain else 'no'} "
        f"| {_expiry(row)} | `{row.content_type}` | {row.writer} → {row.reader} |"
        for row in TOPICS
    ]
    return "\n".join(lines) + "\n"


def _expiry(row: Topic) -> str:
    if row.expiry_intervals:
        return f"{row.expiry_intervals} health intervals"
    return "never" if row.expiry_s is None else f"{row.expiry_s} s"


if __name__ == "__main__":
    sys.stdout.write(topics_markdown())
