"""gateway.toml: the configuration of a gateway (DESIGN 11), one file, one tree of frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import Any

from broker.url import BrokerSettings, BrokerUrl  # noqa: TC001 - the settings reader resolves annotations at run time
from edge.device.config import DeviceConfig, check_sealing, read_devices
from edge.evidence.settings import EvidenceConfig
from edge.sealing import AUTHORITY_ROLES, parse_sealing_key
from ledger_sync.proof.names import city_problem, id_problem
from ledger_sync.proof.settings import (
    Problems,
    SettingsError,
    load_part,
    load_toml,
    parse_folder,
    parse_public_key,
    read_settings,
    setting,
)
from ledger_sync.proof.trust import LedgerKey  # noqa: TC001 - the settings reader resolves annotations at run time


def _parse_devices(raw: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise ValueError("must be an array of tables: [[device]]")
    return tuple(raw)


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """The `[batch]` table: when a batch closes."""

    count_max: int = setting(10_000, doc="events in a batch", minimum=1, maximum=100_000)
    age_max_s: float = setting(60.0, doc="age of its first event", minimum=0.01, maximum=86_400)


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """The `[journal]` table: when a group of events is committed, and how large the journal may grow."""

    commit_count_max: int = setting(512, doc="events in a commit", minimum=1, maximum=10_000)
    commit_age_max_ms: float = setting(50.0, doc="wait of its first event", minimum=0, maximum=10_000)
    size_max_mb: int = setting(2048, doc="size of the journal with its write-ahead log", minimum=1, maximum=1 << 20)


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """The `[health]` table."""

    interval_s: float = setting(30.0, doc="time between two health messages", minimum=0.1, maximum=3600)


@dataclass(frozen=True, slots=True)
class AuthorityConfig:
    """One `[[authority]]` table: to whom data may be sealed."""

    id: str = setting(doc="the authority's id", check=id_problem)
    role: str = setting(doc="what it may open", choices=AUTHORITY_ROLES)
    public_key: bytes = setting(doc="its X25519 public key", parse=parse_sealing_key)
    signing_key: bytes | None = setting(
        None, doc="its Ed25519 public key, with which it acknowledges evidence", parse=parse_public_key
    )


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """Who a gateway is and where it keeps its data: all that `wayside init` needs."""

    city: str = setting(doc="the city's name", check=city_problem)
    gateway: str = setting(doc="the gateway's id", check=id_problem)
    data_dir: Path = setting(doc="the folder for identity and journal", parse=parse_folder)

    @property
    def key_path(self) -> Path:
        """The file of the event key."""
        return self.data_dir / "identity" / "event.key"

    @property
    def evidence_dir(self) -> Path:
        """The folder in which each device that keeps evidence has a folder of its own."""
        return self.data_dir / "evidence"


@dataclass(frozen=True, slots=True)
class _GatewayFile(GatewayPlace):
    """gateway.toml as it is written; `device` is still raw, as each driver has keys of its own."""

    broker: BrokerSettings = setting(doc="a [broker] table with url")
    ledger: tuple[LedgerKey, ...] = setting(
        doc="whose receipts count: [[ledger]] with the id and public_key that `wayside ledger init` prints"
    )
    heartbeat_s: float = setting(300.0, doc="time between two gateway.heartbeat events", minimum=0.1, maximum=86_400)
    batch: BatchConfig = setting(BatchConfig(), doc="when a batch closes")
    journal: JournalConfig = setting(JournalConfig(), doc="commits and size")
    health: HealthConfig = setting(HealthConfig(), doc="health messages")
    evidence: EvidenceConfig = setting(EvidenceConfig(), doc="copies of evidence, and its upload")
    authority: tuple[AuthorityConfig, ...] = setting((), doc="to whom data may be sealed")
    device: tuple[dict[str, Any], ...] = setting((), doc="the devices", parse=_parse_devices)


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """A gateway's whole configuration. `sha256` is that of the file's bytes, signed at each start."""

    place: GatewayPlace
    broker: BrokerUrl
    ledgers: tuple[LedgerKey, ...]
    heartbeat_s: float
    batch: BatchConfig
    journal: JournalConfig
    health: HealthConfig
    evidence: EvidenceConfig
    authorities: tuple[AuthorityConfig, ...]
    devices: tuple[DeviceConfig, ...]
    sha256: bytes


def load_gateway_place(path: Path) -> GatewayPlace:
    """City, gateway and data_dir of the file at `path`; the rest of it may still be missing or wrong.

    Raises SettingsError with all mistakes in these three.
    """
    place = load_part(GatewayPlace, path)
    return replace(place, data_dir=path.parent / place.data_dir)


def load_gateway_config(path: Path) -> GatewayConfig:
    """The configuration in the file at `path`; relative paths begin at its own folder. Opens nothing else.

    Raises SettingsError with all its mistakes.
    """
    problems = Problems()
    table = load_toml(path)
    file = read_settings(_GatewayFile, table, problems)
    raw_devices = file.device if file else table.get("device", ())
    tables = [one for one in raw_devices if isinstance(one, dict)] if isinstance(raw_devices, list | tuple) else []
    devices = read_devices(tables, path.parent, table.get("gateway"), problems)
    if file is not None:
        _check_ledgers(file, problems)
        _check_authorities(file.authority, problems)
        check_sealing(devices, {one.role for one in file.authority}, problems)
    if file is None or problems:
        raise SettingsError(str(path), tuple(problems))
    return GatewayConfig(
        place=GatewayPlace(file.city, file.gateway, path.parent / file.data_dir),
        broker=file.broker.url,
        ledgers=file.ledger,
        heartbeat_s=file.heartbeat_s,
        batch=file.batch,
        journal=file.journal,
        health=file.health,
        evidence=file.evidence,
        authorities=file.authority,
        devices=tuple(device for _, device in devices),
        sha256=sha256(path.read_bytes()).digest(),
    )


def _check_authorities(authorities: tuple[AuthorityConfig, ...], problems: Problems) -> None:
    roles: set[str] = set()
    keys: dict[bytes, str] = {}
    for index, authority in enumerate(authorities):
        if authority.role in roles:
            # Nothing would be sealed to it, and that would show only when it wants to open something.
            mend = "one opens what is sealed; keep the table of that one"
            problems.add(f"authority[{index}].role", f"is {authority.role!r}, another authority's role too; {mend}")
        roles.add(authority.role)
        if authority.public_key in keys:
            # What needs two keys would open with one.
            whose = f"is the key of {keys[authority.public_key]!r} too; each authority has one of its own"
            problems.add(f"authority[{index}].public_key", whose)
        keys[authority.public_key] = authority.id


def _check_ledgers(file: _GatewayFile, problems: Problems) -> None:
    if not file.ledger:
        problems.add("ledger", "is empty; name at least one [[ledger]] with id and public_key")
    for index, key in enumerate(file.ledger):
        if key.id == file.gateway:
            # Both would use it as their MQTT client id, and push each other off the broker.
            problems.add(f"ledger[{index}].id", f"is {key.id!r}, the gateway's own; each needs an id of its own")
