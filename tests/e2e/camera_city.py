"""A city whose gateway has cameras: broker, ledger, traffic office and gateway, all of them processes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.camera.evidence.folder import RECORDED
from tests.e2e.black_box import Service, wayside
from tests.support.brokers import start_mosquitto
from tests.support.evidence_city import EvidenceCity, make_evidence_city

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.brokers import BrokerProcess

PROCESS = "devices.camera.process"


@dataclass
class CameraCity:
    """`files` are its files; the gateway is started and ended by the test."""

    files: EvidenceCity
    broker: BrokerProcess
    gateway: Service | None = None

    @property
    def directory(self) -> Path:
        return self.files.city.directory

    @property
    def config(self) -> Path:
        return self.files.city.gateway_config

    def start_gateway(self) -> None:
        self.gateway = Service(self.directory / "gateway.log", "run", "--config", self.config)

    def kill_gateway(self) -> None:
        """SIGKILL: its cameras end by themselves, as their input does."""
        if self.gateway is not None:
            self.gateway.kill()
            self.gateway = None

    def stop_gateway(self) -> None:
        assert self.gateway is not None
        self.gateway.stop()
        self.gateway = None

    def events(self, *types: str) -> list[dict[str, Any]]:
        done = wayside("journal", "events", "--config", self.config, "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return [event for event in events if event["type"] in types] if types else events

    def camera_processes(self) -> list[int]:
        """Of this city's gateway, by process id."""
        assert self.gateway is not None
        return [pid for pid in children(self.gateway.pid) if PROCESS in command_of(pid)]

    def unrecorded(self) -> list[Path]:
        """The evidence of which the gateway does not know whether its event is in the journal."""
        folders = (self.files.local / name for name in self.files.local_ids())
        return [folder for folder in folders if not (folder / RECORDED).exists()]

    @property
    def trust(self) -> Path:
        """A trust.toml, as a citizen has it."""
        keys = {"gateway": ("gw-1", self.files.city.gateway_key), "ledger": ("ledger-1", self.files.city.ledger_key)}
        tables = (
            f'[[{kind}]]\nid = "{name}"\npublic_key = "{base64.b64encode(key).decode()}"\n'
            for kind, (name, key) in keys.items()
        )
        path = self.directory / "trust.toml"
        path.write_text('city = "demo"\n' + "".join(tables))
        return path


@contextlib.contextmanager
def camera_city(directory: Path, devices: str) -> Iterator[CameraCity]:
    """Everything but the gateway runs. `devices` are its [[device]] tables."""
    with start_mosquitto(directory, durable=True) as broker, contextlib.ExitStack() as stack:
        files = make_evidence_city(directory, broker.port)
        config = files.city.gateway_config
        config.write_text(config.read_text().partition("[[device]]")[0] + devices)
        for log, *command in (
            ("ledger.log", "ledger", "run", "--config", files.city.ledger_config),
            ("office.log", "authority", "run", "--config", files.authority_config),
        ):
            stack.callback(Service(directory / log, *command).kill)
        city = CameraCity(files, broker)
        stack.callback(city.kill_gateway)
        yield city


def children(parent: int) -> list[int]:
    """The processes that this one started, and that still run."""
    found = []
    for entry in os.scandir("/proc"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(entry.name)
            if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(pid)
    return found


def command_of(pid: int) -> str:
    """Its arguments, a NUL after each; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
