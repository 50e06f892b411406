"""A piece of evidence with its signed event, made without a gateway: what an authority is offered, and opens."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.evidence_topics import EvidenceAddress
from devices.camera.evidence.folder import add_durably
from devices.camera.evidence.manifest import Manifest, parse_manifest
from devices.camera.evidence.store import EvidenceStore
from edge.evidence.messages import Offer
from edge.journal.reader import JournalReader
from edge.journal.writer import NewEvent
from ledger_sync.proof.event import encode_data, encode_evidence
from ledger_sync.proof.event_types import event_type
from tests.edge.journals import CITY, GATEWAY, GATEWAY_KEY, STAMP, open_journal
from tests.support.violation import KEYS, raw_set, speeding, working_set

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from devices.camera.evidence.sets import RawSet, WorkingSet
    from devices.driver import Reading

DEVICE = "camera-1"
AUTHORITY_TOML = f"""\
city = "{CITY}"
id = "traffic-1"
role = "traffic"
data_dir = "var"
[broker]
url = "mqtt://127.0.0.1:1"
[[gateway]]
id = "{GATEWAY}"
public_key = "{b64encode(GATEWAY_KEY.public_key).decode()}"
"""


@dataclass(frozen=True, slots=True)
class OfferedEvidence:
    """Its folder, and what of it goes over the broker."""

    folder: Path
    offer: Offer
    manifest: Manifest

    @property
    def address(self) -> EvidenceAddress:
        return EvidenceAddress(GATEWAY, self.manifest.id.hex())

    def chunks(self, size: int = 65_536) -> list[tuple[EvidenceAddress, bytes]]:
        """All objects, cut."""
        cut = []
        for one in self.manifest.objects:
            sealed = (self.folder / one.file_name).read_bytes()
            for offset in range(0, len(sealed), size):
                address = self.address._replace(object=one.name, offset=offset)
                cut.append((address, sealed[offset : offset + size]))
        return cut


def make_offered(
    data_dir: Path,
    working: WorkingSet | None = None,
    raw: RawSet | None = None,
    keys: Mapping[str, bytes] = KEYS,
    measured: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> OfferedEvidence:
    """Evidence in `data_dir`, its event in the journal there.

    `measured`: instead of SPEEDING; `data`: what the event says, if it is another thing.
    """
    store = EvidenceStore(data_dir / "evidence" / DEVICE, keys)
    reading = speeding() if measured is None else speeding()._replace(data=measured)
    reading = store.keep(reading, working or working_set(), raw or raw_set())
    store.mark_recorded(str(reading.id))
    statement = record(data_dir, reading if data is None else reading._replace(data=data))
    folder = data_dir / "evidence" / DEVICE / str(reading.id)
    add_durably(folder, "statement.cose", statement)
    raw_manifest = (folder / "manifest.cbor").read_bytes()
    return OfferedEvidence(folder, Offer(statement, raw_manifest), parse_manifest(raw_manifest))


def record(data_dir: Path, reading: Reading) -> bytes:
    """The reading's statement, committed to the journal in `data_dir`."""
    row = event_type(reading.type)
    raw = encode_data(row, reading.data)
    evidence = encode_evidence(row, raw, reading.evidence)
    with open_journal(data_dir) as journal:
        sequence = journal.next_sequence
        journal.commit([NewEvent(DEVICE, row, raw, 0, STAMP, None, evidence)])
        with JournalReader(journal.path) as reader:
            statement = reader.statement(sequence)
    assert statement is not None
    return statement
