"""Where the demo keeps its things: one directory with configurations, identities, journal, log and logs."""

from __future__ import annotations

import base64
import random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.config import load_gateway_config, load_gateway_place
from edge.journal.files import current_journal
from ledger_sync.city.settings import load_ledger_place
from ledger_sync.proof.keyfile import load_key, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config import GatewayConfig
    from ledger_sync.city.settings import LedgerPlace

GATEWAY, VALIDATOR = "gw-1", "validator-1"

# Batches close soon and health comes often, so that a minute shows what otherwise takes an hour.
_GATEWAY_TOML = """\
city = "demo"
gateway = "gw-1"
data_dir = "gateway"
"""
_GATEWAY_TOML_REST = """
[broker]
url = "mqtt://127.0.0.1:{port}"

[[ledger]]
id = "ledger-1"
public_key = "{ledger_key}"

[batch]
age_max_s = 1

[health]
interval_s = 0.5

[[device]]
id = "meter-1"
driver = "dsmr"
port = "meter-1"

[[device]]
id = "meter-2"
driver = "sml"
port = "meter-2"

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
_LEDGER_TOML_REST = """
[broker]
url = "mqtt://127.0.0.1:{port}"

[[gateway]]
id = "gw-1"
public_key = "{gateway_key}"
"""
_TRUST_TOML = """\
city = "demo"

[[gateway]]
id = "gw-1"
public_key = "{gateway_key}"

[[ledger]]
id = "ledger-1"
public_key = "{ledger_key}"
"""


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

    @property
    def journal(self) -> Path:
        """The gateway's journal; the gateway makes it."""
        return current_journal(self.gateway.place.data_dir)


def lay_out(directory: Path) -> Places:
    """Write the three configurations into `directory` and make both identities, as `wayside init` does."""
    port = free_port()
    gateway_toml, ledger_toml, trust_toml = (directory / f"{name}.toml" for name in ("gateway", "ledger", "trust"))
    gateway_toml.write_text(_GATEWAY_TOML)
    ledger_toml.write_text(_LEDGER_TOML)
    gateway_key = _public_key(load_gateway_place(gateway_toml).key_path)
    ledger_key = _public_key(load_ledger_place(ledger_toml).key_path)
    facts = {"port": port, "gateway_key": _base64(gateway_key), "ledger_key": _base64(ledger_key)}
    gateway_toml.write_text(_GATEWAY_TOML + _GATEWAY_TOML_REST.format_map(facts))
    ledger_toml.write_text(_LEDGER_TOML + _LEDGER_TOML_REST.format_map(facts))
    trust_toml.write_text(_TRUST_TOML.format_map(facts))
    return Places(
        directory,
        port,
        gateway_toml,
        trust_toml,
        load_gateway_config(gateway_toml),
        load_ledger_place(ledger_toml),
        gateway_key,
    )


def free_port() -> int:
    """A TCP port of loopback that nobody listens on.

    It is below the range that outgoing connections take, so that the broker finds it free again after a restart.
    Raises OSError when a hundred are taken.
    """
    for _ in range(100):
        port = random.randint(20_000, 32_000)  # noqa: S311 - any will do
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free TCP port was found on 127.0.0.1 from 20000 to 32000; stop what listens there")


def _public_key(path: Path) -> bytes:
    make_key(path)
    return load_key(path).public_key


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()
