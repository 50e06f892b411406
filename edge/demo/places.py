"""Where the demo keeps its things: one directory with configurations, identities, journal, log and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.config import load_gateway_config, load_gateway_place
from edge.harness.ports import free_port
from edge.journal.files import current_journal
from ledger_sync.city.settings import load_ledger_place
from ledger_sync.proof.keyfile import load_key, make_key

from .camera import FOLDER as CAMERA_FOLDER
from .camera import GATEWAY as CAMERA_GATEWAY
from .camera import lay_out_camera
from .tables import LEDGER, broker_table, key_table

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config import GatewayConfig
    from ledger_sync.city.settings import LedgerPlace

    from .camera import CameraPlaces

GATEWAY, VALIDATOR = "gw-1", "validator-1"
DEVICES = "devices"
"""The folder of the simulated meters, as their scenario `tram-stop` names them, and of their truth."""

_GATEWAY_TOML = """\
city = "demo"
gateway = "gw-1"
data_dir = "gateway"
"""
# Batches close soon, health comes often and every telegram is recorded, so that a minute shows what takes an hour.
_PARTS_TOML = """\
[batch]
age_max_s = 1

[health]
interval_s = 0.5

[[device]]
id = "meter-1"
driver = "dsmr"
port = "devices/meter-1"
record_every_s = 0

[[device]]
id = "meter-2"
driver = "sml"
port = "devices/meter-2"
record_every_s = 0

[[device]]
id = "validator-1"
driver = "jsonl"
port = "validator-1"
"""
_LEDGER_TOML = """\
city = "demo"
id = "ledger-1"
data_dir = "ledger"
"""
_TRUST_TOML = 'city = "demo"\n'


@dataclass(frozen=True, slots=True)
class Places:
    """What was laid out. `gateway` and `ledger` are the configurations as the product reads them."""

    directory: Path
    port: int
    gateway_toml: Path
    trust_toml: Path
    gateway: GatewayConfig
    ledger: LedgerPlace
    gateway_key: bytes
    camera: CameraPlaces

    @property
    def journal(self) -> Path:
        """The gateway's journal; the gateway makes it."""
        return current_journal(self.gateway.place.data_dir)


def lay_out(directory: Path) -> Places:
    """Write all configurations into `directory` and make all identities, as `wayside init` does."""
    port = free_port()
    gateway_toml, ledger_toml, trust_toml = (directory / f"{name}.toml" for name in ("gateway", "ledger", "trust"))
    gateway_toml.write_text(_GATEWAY_TOML)
    ledger_toml.write_text(_LEDGER_TOML)
    gateway_key = _public_key(load_gateway_place(gateway_toml).key_path)
    ledger_key = _public_key(load_ledger_place(ledger_toml).key_path)
    camera = lay_out_camera(directory / CAMERA_FOLDER, port, ledger_key)
    ledger = key_table("ledger", LEDGER, ledger_key)
    gateways = key_table("gateway", GATEWAY, gateway_key) + key_table("gateway", CAMERA_GATEWAY, camera.gateway_key)
    gateway_toml.write_text(_GATEWAY_TOML + broker_table(port) + ledger + _PARTS_TOML)
    ledger_toml.write_text(_LEDGER_TOML + broker_table(port) + gateways)
    trust_toml.write_text(_TRUST_TOML + gateways + ledger)
    return Places(
        directory,
        port,
        gateway_toml,
        trust_toml,
        load_gateway_config(gateway_toml),
        load_ledger_place(ledger_toml),
        gateway_key,
        camera,
    )


def _public_key(path: Path) -> bytes:
    make_key(path)
    return load_key(path).public_key
