"""A city's files in a directory: identities, gateway.toml, ledger.toml, made for many small batches."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_sync.proof.keyfile import load_key, make_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CITY, GATEWAY, LEDGER = "demo", "gw-1", "ledger-1"
VALIDATOR = {"validator-1": "jsonl"}

QUICK = """
[batch]
count_max = 20
age_max_s = 0.3
[journal]
commit_age_max_ms = 5
[health]
interval_s = 0.5
"""
"""Batches are sealed all the time, at their count and at their age."""

_GATEWAY_TOML = """\
city = "{city}"
gateway = "{gateway}"
data_dir = "var"
[broker]
url = "mqtt://127.0.0.1:{port}"
[[ledger]]
id = "{ledger}"
public_key = "{ledger_key}"
{tables}
"""
_DEVICE_TOML = """
[[device]]
id = "{device}"
driver = "{driver}"
port = "{device}"
record_every_s = 0
"""
_LEDGER_TOML = """\
city = "{city}"
id = "{ledger}"
data_dir = "var-ledger"
[broker]
url = "mqtt://127.0.0.1:{port}"
[[gateway]]
id = "{gateway}"
public_key = "{gateway_key}"
"""


@dataclass(frozen=True, slots=True)
class CityFiles:
    """One gateway and its ledger. The port of a device is a file of its name in `directory`; every telegram counts."""

    directory: Path

    @property
    def gateway_config(self) -> Path:
        return self.directory / "gateway.toml"

    @property
    def ledger_config(self) -> Path:
        return self.directory / "ledger.toml"

    @property
    def journal_dir(self) -> Path:
        return self.directory / "var" / "journal"

    @property
    def journal(self) -> Path:
        return self.journal_dir / "journal.sqlite"

    @property
    def gateway_key(self) -> bytes:
        return load_key(self.directory / "var" / "identity" / "event.key").public_key

    @property
    def ledger_key(self) -> bytes:
        return load_key(self.directory / "var-ledger" / "identity" / "ledger.key").public_key


def make_city(
    directory: Path,
    gateway_port: int,
    *,
    ledger_port: int | None = None,
    devices: Mapping[str, str] = VALIDATOR,
    tables: str = QUICK,
) -> CityFiles:
    """Write a city's files; the two reach their broker at ports that may be those of links to it.

    `devices` maps each device's id to its driver.
    """
    city = CityFiles(directory)
    make_key(directory / "var" / "identity" / "event.key")
    make_key(directory / "var-ledger" / "identity" / "ledger.key")
    names = {
        "city": CITY,
        "gateway": GATEWAY,
        "ledger": LEDGER,
        "gateway_key": base64.b64encode(city.gateway_key).decode(),
        "ledger_key": base64.b64encode(city.ledger_key).decode(),
    }
    text = _GATEWAY_TOML.format(port=gateway_port, tables=tables, **names)
    tables_of_devices = "".join(_DEVICE_TOML.format(device=device, driver=devices[device]) for device in devices)
    city.gateway_config.write_text(text + tables_of_devices)
    city.ledger_config.write_text(_LEDGER_TOML.format(port=ledger_port or gateway_port, **names))
    return city
