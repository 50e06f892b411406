"""A place laid out in a folder: its simulated devices, and the configurations of a gateway and a ledger for it."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import nacl.public

from devices.sim.device import DeviceClock, Placement
from devices.sim.kinds import simulated
from edge.config import load_gateway_place
from ledger_sync.city.settings import load_ledger_place
from ledger_sync.proof.keyfile import load_key, make_key

from .toml_text import toml_table

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.device import SimulatedDevice, Truth

    from .scenario import DeviceSettings, Scenario

CITY, GATEWAY, LEDGER = "sim", "gw-1", "ledger-1"
TRUTH = "truth.jsonl"
ROLES = ("transit", "traffic", "oversight")
"""Of the authorities to which card readers and cameras seal."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was laid out in `folder`; `device_tables` are the `[[device]]` tables as text."""

    folder: Path
    broker: str
    devices: tuple[SimulatedDevice, ...]
    device_tables: str

    @property
    def gateway_toml(self) -> Path:
        """The gateway's configuration."""
        return self.folder / "gateway.toml"

    @property
    def ledger_toml(self) -> Path:
        """The ledger's."""
        return self.folder / "ledger.toml"


async def lay_out(scenario: Scenario, folder: Path, broker: str, truth: Truth) -> Place:
    """Make and start all devices of a scenario, and write gateway.toml, ledger.toml and devices.toml.

    `broker` is the MQTT URL of the devices that speak it, and of gateway and ledger. Raises OSError.
    """
    start = scenario.start or datetime.now(UTC)
    clocks = {one.drift_ppm: DeviceClock(start, scenario.time_scale, one.drift_ppm) for one in scenario.device}
    devices, tables = [], []
    for index, table in enumerate(scenario.device):
        for number, identity in enumerate(table.ids()):
            placement = Placement(
                id=identity,
                seed=scenario.seed_of(index, number),
                folder=folder,
                interval_s=table.interval_s,
                clock=clocks[table.drift_ppm],
                faults=table.faults.rates(),
                options={"broker": broker, **(table.options or {})},
            )
            device = simulated(table.kind)(placement, truth)
            await device.start()
            if table.kind == "camera":
                from .camera_view import confirm  # noqa: PLC0415 - needs the extra `camera`, as cameras do

                await asyncio.to_thread(confirm, device)
            devices.append(device)
            tables.append(_device_table(identity, table, device))
    place = Place(folder, broker, tuple(devices), "\n".join(tables))
    await asyncio.to_thread(_write_configurations, place)
    return place


def _device_table(identity: str, table: DeviceSettings, device: SimulatedDevice) -> str:
    settings = {**device.settings(), **(table.gateway or {})}
    return toml_table("[[device]]", {"id": identity, **settings})


def _write_configurations(place: Place) -> None:
    folder = place.folder
    gateway = {"city": CITY, "gateway": GATEWAY, "data_dir": "gateway"}
    ledger = {"city": CITY, "id": LEDGER, "data_dir": "ledger"}
    place.gateway_toml.write_text(toml_table("", gateway))
    place.ledger_toml.write_text(toml_table("", ledger))
    gateway_key = _public_key(load_gateway_place(place.gateway_toml).key_path)
    ledger_key = _public_key(load_ledger_place(place.ledger_toml).key_path)
    broker = toml_table("[broker]", {"url": place.broker})
    authorities = (
        {"id": f"{role}-1", "role": role, "public_key": _base64(_authority_key(folder / f"{role}.key"))}
        for role in ROLES
    )
    (folder / "devices.toml").write_text(place.device_tables)
    place.gateway_toml.write_text(
        "\n".join(
            (
                toml_table("", {**gateway, "heartbeat_s": 5}),
                broker,
                toml_table("[batch]", {"age_max_s": 5}),
                toml_table("[[ledger]]", {"id": LEDGER, "public_key": _base64(ledger_key)}),
                *(toml_table("[[authority]]", one) for one in authorities),
                place.device_tables,
            )
        )
    )
    gateways = toml_table("[[gateway]]", {"id": GATEWAY, "public_key": _base64(gateway_key)})
    place.ledger_toml.write_text("\n".join((toml_table("", ledger), broker, gateways)))


def _public_key(path: Path) -> bytes:
    make_key(path)
    return load_key(path).public_key


def _authority_key(path: Path) -> bytes:
    """A simulated authority's public key; its private one lies beside the truth, for whoever opens what is sealed."""
    key = nacl.public.PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_text(_base64(bytes(key)))
    return bytes(key.public_key)


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()
