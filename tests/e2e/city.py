"""A running city of real processes, made with nothing but the command line and an editor."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.black_box import PtyDevice, Service, TcpDevice, told, until, wayside
from tests.support.brokers import MOSQUITTO, BrokerProcess, free_port, start_embedded, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = """
[batch]
count_max = 40
age_max_s = 0.3
[journal]
commit_age_max_ms = 5
[health]
interval_s = 0.5
"""
TAP = {"direction": "in"}


def tap(tap_id: str, **data: Any) -> dict[str, Any]:
    return {"id": tap_id, "type": "fare.tap", "data": TAP | data}


@dataclass
class City:
    """One gateway with a device on a serial port and one on TCP, one ledger, one broker; all of them processes."""

    directory: Path
    broker: BrokerProcess
    pty: PtyDevice
    tcp: TcpDevice
    gateway: Service | None = None
    ledger: Service | None = None

    @property
    def config(self) -> Path:
        return self.directory / "gateway.toml"

    @property
    def ledger_config(self) -> Path:
        return self.directory / "ledger.toml"

    @property
    def trust(self) -> Path:
        return self.directory / "trust.toml"

    def start_gateway(self) -> None:
        self.gateway = Service(self.directory / "gateway.log", "run", "--config", self.config)

    def start_ledger(self) -> None:
        self.ledger = Service(self.directory / "ledger.log", "ledger", "run", "--config", self.ledger_config)

    def events(self) -> list[dict[str, Any]]:
        done = wayside("journal", "events", "--config", self.config, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def receipted(self) -> list[dict[str, Any]]:
        return [event for event in self.events() if event["state"] == "receipted"]

    def copy(self, directory: Path) -> Path:
        """The gateway's files as they are now, for a test to spoil; gives the configuration."""
        directory.mkdir()
        shutil.copytree(self.directory / "var", directory / "var")
        return Path(shutil.copy(self.config, directory))


def key_table(kind: str, identity: dict[str, str]) -> str:
    return f'[[{kind}]]\nid = "{identity["id"]}"\npublic_key = "{identity["public_key"]}"\n'


def write_files(directory: Path, broker_port: int, tcp_port: int) -> None:
    """A city's files, made with nothing but `init` and an editor."""
    gateway, ledger = directory / "gateway.toml", directory / "ledger.toml"
    gateway.write_text('city = "demo"\ngateway = "gw-1"\ndata_dir = "var"\n')
    ledger.write_text('city = "demo"\nid = "ledger-1"\ndata_dir = "var-ledger"\n')
    gateway_key, ledger_key = told("init", "--config", gateway), told("ledger", "init", "--config", ledger)
    broker = f'[broker]\nurl = "mqtt://127.0.0.1:{broker_port}"\n'
    devices = "".join(
        f'[[device]]\nid = "{name}"\ndriver = "jsonl"\nport = "{port}"\n'
        for name, port in (("gate-pty", "port"), ("gate-tcp", f"tcp://127.0.0.1:{tcp_port}"))
    )
    head = gateway.read_text() + "heartbeat_s = 0.5\n"
    gateway.write_text(head + broker + key_table("ledger", ledger_key) + QUICK + devices)
    ledger.write_text(ledger.read_text() + broker + key_table("gateway", gateway_key))
    trust = 'city = "demo"\n' + key_table("gateway", gateway_key) + key_table("ledger", ledger_key)
    (directory / "trust.toml").write_text(trust)


@contextlib.contextmanager
def running_city(directory: Path) -> Iterator[City]:
    """A running city, started in the order that is least convenient: gateway, ledger, broker, devices."""
    with contextlib.ExitStack() as stack:
        start = start_mosquitto if MOSQUITTO else start_embedded
        broker = stack.enter_context(start(directory))
        broker.kill()
        tcp_port = free_port()
        write_files(directory, broker.port, tcp_port)
        gateway = Service(directory / "gateway.log", "run", "--config", directory / "gateway.toml")
        ledger = Service(directory / "ledger.log", "ledger", "run", "--config", directory / "ledger.toml")
        stack.callback(ledger.kill)
        stack.callback(gateway.kill)
        # Each has met what is not there yet before it comes.
        until(lambda: "device offline" in (directory / "gateway.log").read_text())
        until(lambda: "Connection refused" in (directory / "ledger.log").read_text())
        broker.start()
        pty = stack.enter_context(PtyDevice(directory / "port"))
        tcp = stack.enter_context(TcpDevice(tcp_port))
        city = City(directory, broker, pty, tcp, gateway, ledger)
        assert pty.greet(tap("hello")) == {"ack": "hello"}
        assert tcp.greet(tap("hello")) == {"ack": "hello"}
        until(lambda: any(event["type"] == "fare.tap" for event in city.receipted()))
        yield city
        for service in (city.gateway, city.ledger):
            if service is not None:
                service.kill()
