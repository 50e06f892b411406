"""What must hold of all evidence after any storm, by what is on the disks of gateway and authority alone."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from edge.authority import load_authority_key, load_authority_office
from edge.evidence.opening import open_evidence
from ledger_sync.proof.trust import GatewayKey
from tests.support.city_files import GATEWAY
from tests.support.violation import PLATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.evidence_city import EvidenceCity


def check_evidence(files: EvidenceCity) -> int:
    """No event without its evidence, no evidence without its event, and none twice; how many there are.

    To be called once nothing waits: each piece is at the authority, whole, and opens with both keys.
    """
    events = files.events()
    assert len(set(events)) == len(events), "a violation is recorded twice"
    offices = [load_authority_office(path) for path in (files.authority_config, files.oversight_config)]
    keys = {one.role: [load_authority_key(one.key_path)] for one in offices}
    gateways = (GatewayKey(GATEWAY, files.city.gateway_key),)
    kept = set()
    for folder in files.kept.iterdir():
        opened = open_evidence(folder, keys, gateways)
        assert opened.working.plate is not None, f"{folder}: has no plate"
        assert opened.working.plate.text == PLATE, f"{folder}: has another plate"
        assert opened.raw is not None, f"{folder}: two keys do not open it"
        kept.add(_digest(folder))
    assert kept == set(events), f"{len(set(events) - kept)} events without evidence, {len(kept - set(events))} without"
    left = {_digest(files.local / name) for name in files.local_ids()}
    assert left <= kept, "a gateway's folder is not at the authority"
    return len(kept)


def _digest(folder: Path) -> bytes:
    return sha256((folder / "manifest.cbor").read_bytes()).digest()
