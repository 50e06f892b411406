"""`wayside device list` and `try`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, FAILS, NOT_TRIED, IntermixedParser, add_noun, add_verb, print_json, print_line, seconds
from ledger_sync.proof.report import data_to_json, printable, utc_us_text

if TYPE_CHECKING:
    import asyncio

    from devices.driver import Driver, Reading
    from edge.config import GatewayConfig
    from edge.device.config import DeviceConfig
    from edge.journal.newest import Newest

# Where drivers keep what their device is reached by.
_PORT_KEYS = ("port", "url", "folder", "chip")

_TRY_NOTES = """  wayside device try jsonl --port tcp://127.0.0.1:4001 --seconds 30 --json

Nothing is recorded, and no gateway.toml is needed. Every reading is shown, also those that a gateway would not
record again. A device that waits for an answer gets none: it keeps its readings for the gateway, and may fall silent
when it has sent all that it may. What is sealed is sealed to a key that nobody keeps. Errors go to stderr and may
quote what is on the wire, even a card's number: mind who reads along. Do not try a port that a gateway has open."""


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    device = add_noun(
        verbs,
        "device",
        summary="list the devices and drivers, or try one device",
        example="  wayside device try dsmr --port /dev/ttyUSB0",
        parser_class=IntermixedParser,
    )
    add_verb(
        device,
        "list",
        _list,
        summary="what is configured, with state and last reading from the journal; and each driver that is known",
        example="  wayside device list --config gateway.toml --json",
        config="the gateway's configuration (gateway.toml)",
    )
    trial = add_verb(
        device,
        "try",
        _try,
        summary="open one device and show its readings; records nothing, and needs no configuration",
        example=f"  wayside device try dsmr --port /dev/ttyUSB0 bytesize=7 parity=E --count 3\n{_TRY_NOTES}",
    )
    trial.add_argument("driver", metavar="DRIVER", help="the driver's name; `wayside device list` names all")
    trial.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="its keys; a TOML value, or text")
    trial.add_argument("--port", metavar="P", help="short for port=P")
    trial.add_argument("--count", type=_count, metavar="N", help="end after N readings")
    trial.add_argument("--seconds", type=seconds, metavar="S", help="end after S seconds; else at Ctrl-C")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:  # noqa: PLR2004 - digits, enough for anyone
        raise argparse.ArgumentTypeError(f"{text!r} is no number of readings; give 1 or more")
    return int(text)


def _list(options: argparse.Namespace) -> int:
    from edge.config import load_gateway_config

    config = load_gateway_config(options.config)
    newest = _newest(config)
    devices = [_device_row(device, newest.get(device.id)) for device in config.devices]
    drivers = _driver_rows()
    if options.json:
        print_json({"devices": devices, "drivers": drivers})
        return DONE
    print_line("devices:" if devices else "devices: none")
    for device in devices:
        _print_device(device)
    print_line("drivers:")
    for driver in drivers:
        told = driver["problem"] or f"{driver['wire_role']}; {driver['summary']} ({driver['distribution']})"
        print_line(printable(f"  {driver['name']:<14} {told}"))
    return DONE


def _newest(config: GatewayConfig) -> dict[str, Newest]:
    """What the current journal tells of each device; nothing while there is no journal."""
    from edge.journal.files import current_journal
    from edge.journal.newest import newest_events
    from edge.journal.reader import JournalReader

    path = current_journal(config.place.data_dir)
    if not path.exists():
        return {}
    with JournalReader(path) as reader:
        return newest_events(reader, [device.id for device in config.devices])


def _device_row(device: DeviceConfig, newest: Newest | None) -> dict[str, Any]:
    from devices.registry import load_driver

    common, settings = device.common, device.settings
    health = newest.health if newest else None
    reading = newest.reading if newest else None
    port = next((str(getattr(settings, key)) for key in _PORT_KEYS if getattr(settings, key, None) is not None), None)
    return {
        "id": device.id,
        "driver": device.driver,
        "wire_role": str(load_driver(device.driver)(device.id, settings).wire_role),
        "port": port,
        "recorded": {
            "registers": list(getattr(settings, "registers", None) or ()) or None,
            "record_every_s": common.record_every_s,
            "record_on_change": common.record_on_change,
            "deadband": data_to_json(common.deadband),
            "role": common.role,
        },
        "state": health.data["state"] if health else None,
        "state_since": utc_us_text(health.stamp.utc_us) if health else None,
        "reason": health.data.get("reason") if health else None,
        "last_reading": {
            "time": utc_us_text(reading.stamp.utc_us),
            "type": reading.type,
            "data": data_to_json(reading.data),
        }
        if reading
        else None,
    }


def _print_device(row: dict[str, Any]) -> None:
    state = f"{row['state']} since {row['state_since']}" if row["state"] else "never seen by this journal"
    reason = f": {row['reason']}" if row["reason"] else ""
    last = row["last_reading"]
    print_line(printable(f"  {row['id']:<14} {row['driver']} at {row['port']} ({row['wire_role']}); {state}{reason}"))
    print_line(printable(f"    records {_recorded_text(row['recorded'])}"))
    if last:
        print_line(printable(f"    last {last['time']} {last['type']} {json.dumps(last['data'], ensure_ascii=False)}"))


def _recorded_text(recorded: dict[str, Any]) -> str:
    every_s = recorded["record_every_s"]
    if every_s is None:
        told = "meters and counters every 900 s, " + (
            "states on change" if recorded["record_on_change"] else "all states"
        )
    else:
        told = f"every {every_s:g} s" if every_s else "every reading"
    if recorded["registers"]:
        told += f"; registers {', '.join(recorded['registers'])}"
    if recorded["deadband"]:
        told += "; deadband " + ", ".join(f"{name} {far}" for name, far in recorded["deadband"].items())
    return told + (f"; role {recorded['role']}" if recorded["role"] else "")


def _driver_rows() -> list[dict[str, Any]]:
    from importlib.metadata import entry_points

    from devices.registry import GROUP, DriverRegistryError, driver_names, load_driver

    rows = []
    for name in driver_names():
        points = entry_points(group=GROUP, name=name)
        row: dict[str, Any] = {
            "name": name,
            "distribution": ", ".join(sorted({f"{one.dist.name} {one.dist.version}" for one in points if one.dist})),
            "wire_role": None,
            "summary": None,
            "problem": None,
        }
        try:
            found = load_driver(name)
        except DriverRegistryError as error:
            row["problem"] = str(error)
        else:
            row |= {"wire_role": str(found.wire_role), "summary": _summary(found)}
        rows.append(row)
    return rows


def _summary(driver: type[Driver]) -> str:
    """The first line of the driver's module, which tells what it reads; or else of its class."""
    text = sys.modules[driver.__module__].__doc__ or driver.__doc__ or ""
    return next(iter(text.strip().splitlines()), "")


class _Terminal:
    """Readings on stdout, errors on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.readings = self.refused = 0

    def reading(self, reading: Reading, refusal: str | None) -> None:
        self.readings += 1
        self.refused += refusal is not None
        data = data_to_json(reading.data)
        if self._as_json:
            print_json({"type": reading.type, "data": data, "origin": int(reading.origin), "id": reading.id})
        else:
            print_line(printable(f"{reading.type} {json.dumps(data, ensure_ascii=False, default=str)}"))
        sys.stdout.flush()
        if refusal is not None:
            self.problem(f"a gateway would refuse this reading: {refusal}")

    def problem(self, sentence: str) -> None:
        sys.stderr.write(f"wayside: {printable(sentence)}\n")


def _try(options: argparse.Namespace) -> int:
    from edge.cli.running import run_until_signal
    from edge.device.trial import Ending, trial_driver, try_device

    terminal = _Terminal(as_json=options.json)
    endings: list[Ending] = []
    with tempfile.TemporaryDirectory(prefix="wayside-try-") as evidence_dir:
        driver = trial_driver(options.driver, options.port, options.settings, Path(evidence_dir))

        async def run(stop: asyncio.Event) -> None:
            endings.append(await try_device(driver, terminal, stop, count=options.count, seconds=options.seconds))

        run_until_signal(run)
    (ending,) = endings
    counters = driver.counters
    sys.stderr.write(
        f"{terminal.readings} readings, {terminal.refused} of them refused; {counters.errors} errors, "
        f"{counters.resyncs} resyncs, {counters.bytes_dropped} bytes dropped; {ending.value}\n"
    )
    if counters.figures:
        sys.stderr.write(f"{printable(json.dumps(counters.figures))}\n")
    if ending is Ending.NOT_OPENED:
        return NOT_TRIED
    if ending is Ending.STOPPED:
        return DONE
    sound = terminal.readings > terminal.refused
    return DONE if sound and ending is not Ending.FAILED else FAILS
