"""The demo's second act: a camera at a gateway of its own, a car that is too fast, and who may see what of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.authority import load_authority_key, load_authority_office, load_authority_place
from edge.config import load_gateway_config, load_gateway_place
from edge.evidence.opening import EvidenceRefusedError, open_evidence
from edge.journal.files import current_journal
from edge.journal.reader import JournalReader
from edge.prove import prove
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.keyfile import Algorithm, load_key, make_key
from ledger_sync.proof.trust import load_trust

from .errors import DemoFailedError
from .road import CALIBRATION, LIMIT_KM_H, VIDEO, lay_road
from .tables import LEDGER, base64_text, broker_table, key_table

if TYPE_CHECKING:
    from pathlib import Path

    from edge.evidence.opening import Opened
    from ledger_sync.proof.event import Event

    from .road import Road

GATEWAY, DEVICE = "gw-2", "camera-1"
SPEEDING = "vehicle.speeding"
FOLDER, ROAD = "camera", "road"
GATEWAY_TOML, TRAFFIC_TOML, OVERSIGHT_TOML = "gateway.toml", "traffic.toml", "oversight.toml"
_KM_H_IN_MM_S = 1_000_000 / 3600

_GATEWAY = """\
city = "demo"
gateway = "gw-2"
data_dir = "gateway"
"""
_PARTS = """\
[batch]
age_max_s = 1

[evidence]
upload_kb_s = 4096

[[authority]]
id = "traffic-1"
role = "traffic"
public_key = "{traffic_key}"
signing_key = "{signing_key}"

[[authority]]
id = "oversight-1"
role = "oversight"
public_key = "{oversight_key}"

[[device]]
id = "camera-1"
driver = "camera"
port = "{video}"
calibration = "{calibration}"
speed_limit_km_h = {limit_km_h}
plates = "eu"
count_interval_s = 5
"""
_AUTHORITY = """\
city = "demo"
id = "{role}-1"
role = "{role}"
data_dir = "{role}"
"""


@dataclass(frozen=True, slots=True)
class CameraPlaces:
    """Where the camera's gateway and the two authorities keep their things; `directory` holds all of it."""

    directory: Path
    gateway_key: bytes
    road: Road

    @property
    def journal(self) -> Path:
        """The journal of the camera's gateway."""
        return current_journal(load_gateway_place(self.directory / GATEWAY_TOML).data_dir)

    @property
    def kept(self) -> Path:
        """Where the authority keeps what it has of this gateway."""
        return self.directory / "traffic" / "evidence" / GATEWAY


@dataclass(frozen=True, slots=True)
class Speeding:
    """One car that was too fast: what was signed of it, what its evidence says, and what was true."""

    event: Event
    opened: Opened
    road: Road
    statement_bytes: int
    needs_both_keys: bool

    @property
    def speed_km_h(self) -> float:
        """As measured."""
        return float(self.event.data["speed_mm_s"]) / _KM_H_IN_MM_S

    @property
    def uncertainty_km_h(self) -> float:
        """Expanded (k = 2)."""
        return float(self.event.data["uncertainty_mm_s"]) / _KM_H_IN_MM_S

    @property
    def plate(self) -> str | None:
        """As the authority sees it; None where none was read surely enough."""
        plate = self.opened.working.plate
        return None if plate is None else plate.text


def lay_out_camera(directory: Path, port: int, ledger_key: bytes) -> CameraPlaces:
    """Make keys and configurations of gateway and authorities, and the road; some seconds of work."""
    directory.mkdir()
    road = lay_road(directory / ROAD)
    keys = {role: _authority(directory, role) for role in ("traffic", "oversight")}
    gateway = directory / GATEWAY_TOML
    gateway.write_text(_GATEWAY)
    key_path = load_gateway_place(gateway).key_path
    make_key(key_path)
    gateway_key = load_key(key_path).public_key
    parts = _PARTS.format(
        traffic_key=base64_text(keys["traffic"]["opens"]),
        signing_key=base64_text(keys["traffic"]["signs"]),
        oversight_key=base64_text(keys["oversight"]["opens"]),
        video=f"{ROAD}/{VIDEO}",
        calibration=f"{ROAD}/{CALIBRATION}",
        limit_km_h=LIMIT_KM_H,
    )
    gateway.write_text(_GATEWAY + broker_table(port) + key_table("ledger", LEDGER, ledger_key) + parts)
    load_gateway_config(gateway)
    with (directory / TRAFFIC_TOML).open("a") as file:
        file.write(broker_table(port) + key_table("gateway", GATEWAY, gateway_key))
    return CameraPlaces(directory, gateway_key, road)


def _authority(directory: Path, role: str) -> dict[str, bytes]:
    path = directory / f"{role}.toml"
    path.write_text(_AUTHORITY.format(role=role))
    place = load_authority_place(path)
    make_key(place.key_path, Algorithm.X25519)
    make_key(place.signing_key_path)
    opens = bytes(load_authority_key(place.key_path).public_key)
    return {"opens": opens, "signs": load_key(place.signing_key_path).public_key}


def open_speeding(places: CameraPlaces, trust_toml: Path) -> Speeding:
    """Prove the event, and open its evidence as the authorities do. Raises DemoFailedError where anything is amiss."""
    with JournalReader(places.journal) as reader:
        found = [one for one in reader.events() if parse_event(one.statement).type == SPEEDING]
        if len(found) != 1:
            raise DemoFailedError(f"one car was too fast, and {len(found)} were recorded; see {places.directory}")
        statement = prove(reader, found[0].sequence)
    proof = places.directory / "speeding.cose"
    proof.write_bytes(statement)
    (folder,) = places.kept.iterdir()
    keys = {
        role: [load_authority_key(load_authority_place(places.directory / f"{role}.toml").key_path)]
        for role in ("traffic", "oversight")
    }
    office = load_authority_office(places.directory / TRAFFIC_TOML)
    trust = load_trust(trust_toml)
    try:
        alone = open_evidence(folder, {"traffic": keys["traffic"]}, office.gateway, trust, proof)
        opened = open_evidence(folder, keys, office.gateway, trust, proof)
    except EvidenceRefusedError as error:
        raise DemoFailedError(f"the evidence {folder} is refused: {error}") from error
    speeding = Speeding(
        parse_event(found[0].statement),
        opened,
        places.road,
        len(statement),
        alone.raw is None and opened.raw is not None,
    )
    _check(speeding, places)
    return speeding


def _check(speeding: Speeding, places: CameraPlaces) -> None:
    road, off_km_h = speeding.road, abs(speeding.speed_km_h - speeding.road.speed_km_h)
    if off_km_h > speeding.uncertainty_km_h:
        raise DemoFailedError(f"the speed is {off_km_h:.1f} km/h off, more than it says; see {places.directory}")
    read = speeding.plate
    if read is not None and read != road.plate.replace(" ", ""):
        raise DemoFailedError(f"the plate was misread; see {places.directory}")
    if not speeding.needs_both_keys:
        raise DemoFailedError(f"the raw pictures opened with one key; see {places.directory}")


def speeding_json(speeding: Speeding) -> dict[str, Any]:
    """For `wayside demo --json`."""
    return {
        "speed_km_h": round(speeding.speed_km_h, 1),
        "uncertainty_km_h": round(speeding.uncertainty_km_h, 1),
        "true_speed_km_h": round(speeding.road.speed_km_h, 1),
        "limit_km_h": LIMIT_KM_H,
        "plate_read": speeding.plate is not None,
        "proof_bytes": speeding.statement_bytes,
        "evidence_verified": True,
        "raw_needs_both_keys": speeding.needs_both_keys,
    }
