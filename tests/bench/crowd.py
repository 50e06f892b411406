"""250 devices on one gateway, at the rates of real ones: what they cost it, and what they cost each other."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.sim.pty import PseudoTerminal
from edge.harness.toml_text import toml_table
from tests.bench.processes import WAYSIDE, answers_ms, rss_mb, running_gateway, running_wayside
from tests.bench.ratio import percentile
from tests.support.brokers import MOSQUITTO, start_embedded, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROBE = "probe"
LINES_PER_S = 20
LINES_ALONE = 400
LINES_IN_THE_CROWD = 1200
READY_MAX_S = 60.0
LOOK_AGAIN_S = 1.0


def scenario() -> str:
    """A scenario of 249 devices: all but the probe."""
    tables: list[dict[str, Any]] = [
        {"kind": "meter-dsmr", "id": "home-a", "count": 100, "interval_s": 1},
        {"kind": "meter-sml", "id": "home-b", "count": 100, "interval_s": 1},
        *(
            {"kind": "meter-modbus", "id": f"{bus}-{unit}", "interval_s": 10, "options": {"bus": bus, "unit": unit}}
            for bus in ("bus-1", "bus-2", "bus-3", "bus-4")
            for unit in range(1, 6)
        ),
        {"kind": "fare-validator", "id": "validator", "count": 9, "interval_s": 2},
        {"kind": "fare-osdp", "id": "gate", "count": 4, "interval_s": 5},
        {"kind": "meter-mqtt", "id": "plug", "count": 5, "interval_s": 10},
        {"kind": "parking-chirpstack", "id": "bay", "count": 5, "interval_s": 10},
        {"kind": "parking-terminal", "id": "terminal", "interval_s": 10},
        {"kind": "signal-ntcip", "id": "controller", "interval_s": 2},
        {"kind": "signal-rsmp", "id": "controller-north", "interval_s": 2},
        {"kind": "signal-hires", "id": "controller-log", "interval_s": 2},
        {"kind": "contact-digital-input", "id": "cabinet-door", "interval_s": 10},
        {"kind": "evidence-package", "id": "approved-camera", "interval_s": 10},
    ]
    head = toml_table("", {"name": "devices-250", "duration_s": 600})
    return "\n".join([head, *(toml_table("[[device]]", table) for table in tables)])


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which the scenario's devices run. `gateway` and `devices` make up its gateway's configuration."""

    folder: Path
    gateway: str
    devices: str

    def configure(self, *tables: str) -> None:
        """Write gateway.toml, with these `[[device]]` tables."""
        (self.folder / "gateway.toml").write_text("\n".join((self.gateway, *tables)))


@contextlib.contextmanager
def laid_out_place() -> Iterator[Place]:
    """The devices in one process of their own, beside a broker and a ledger; no gateway yet."""
    with tempfile.TemporaryDirectory(dir="build") as name, contextlib.ExitStack() as stack:
        folder = Path(name).absolute()
        broker = stack.enter_context((start_mosquitto if MOSQUITTO else start_embedded)(folder))
        path = folder / "scenario.toml"
        path.write_text(scenario())
        verb = ("sim", "run", str(path), "--folder", str(folder), "--broker", f"mqtt://127.0.0.1:{broker.port}")
        stack.enter_context(running_wayside(folder, *verb))
        _wait_for(lambda: "the devices are there" in (folder / "log").read_text(), "the devices were there")
        stack.enter_context(running_wayside(folder, "ledger", "run", "--config", str(folder / "ledger.toml")))
        devices = (folder / "devices.toml").read_text()
        yield Place(folder, (folder / "gateway.toml").read_text().removesuffix(devices), devices)


def devices_250() -> dict[str, float]:
    """What 250 devices cost their gateway, and what 249 of them cost the one that is left, in a minute.

    Share of one core: user and system time of the gateway's process. Resident memory: after that minute. Delay: the one
    is a line device that sends 20 lines a second which its driver refuses at once, so that each is read and answered by
    the event loop, and no commit (whose age and disk have figures of their own) is waited for. It is the 99th
    percentile of the answers' times, less their median where it is the gateway's only device and the others run unread.
    """
    with laid_out_place() as place, PseudoTerminal(place.folder / PROBE) as terminal:
        probe = toml_table("[[device]]", {"id": PROBE, "driver": "jsonl", "port": str(place.folder / PROBE)})
        place.configure(probe)
        with running_gateway(place.folder):
            _wait_for(lambda: _are_online(place.folder), "the probe was online")
            alone_ms = percentile(_refusals_ms(terminal, LINES_ALONE), 0.5)
        place.configure(place.devices, probe)
        with running_gateway(place.folder) as gateway:
            _wait_for(lambda: _are_online(place.folder), "every device was online and had been read")
            cpu_before_s, begin_s = _cpu_s(gateway.pid), time.monotonic()
            crowded_ms = _refusals_ms(terminal, LINES_IN_THE_CROWD)
            share = (_cpu_s(gateway.pid) - cpu_before_s) / (time.monotonic() - begin_s)
            memory_mb = rss_mb(gateway.pid)
            assert _are_online(place.folder), "a device was lost meanwhile"
    return {
        "devices_250_core_share": share,
        "devices_250_rss_mb": memory_mb,
        "devices_250_delay_p99_ms": percentile(crowded_ms, 0.99) - alone_ms,
    }


def _refusals_ms(terminal: PseudoTerminal, count: int) -> list[float]:
    return answers_ms(terminal, [b'{"id":"no-event"}\n'] * count, LINES_PER_S, b'"refused"')


def _are_online(folder: Path) -> bool:
    """Whether the journal has every device online, with a reading of each but the probe."""
    command = [*WAYSIDE, "device", "list", "--json", "--config", str(folder / "gateway.toml")]
    devices = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["devices"]
    return all(one["state"] == "online" and (one["last_reading"] or one["id"] == PROBE) for one in devices)


def _cpu_s(pid: int) -> float:
    """User and system time of a process so far (fields 14 and 15 of proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + READY_MAX_S
    while not condition():
        assert time.monotonic() < deadline_s, f"{READY_MAX_S:g} s were not enough until {what}"
        time.sleep(LOOK_AGAIN_S)
