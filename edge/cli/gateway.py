"""`wayside init`, `check` and `run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, NOT_TRIED, add_verb, print_json, print_line
from edge.cli.identity import ensure_identity, ensure_sample
from edge.cli.samples import GATEWAY_TOML
from ledger_sync.proof.report import printable
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    import argparse

    from edge.config import GatewayConfig

_CONFIG = "the gateway's configuration (gateway.toml)"


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    add_verb(
        verbs,
        "init",
        _init,
        summary="make the gateway's identity, and a sample configuration where there is none; idempotent",
        example="  wayside init --config gateway.toml --json",
        config=_CONFIG,
    )
    add_verb(
        verbs,
        "check",
        _check,
        summary="read and judge a configuration, touching nothing; all mistakes at once",
        example="  wayside check --config gateway.toml",
        config=_CONFIG,
    )
    add_verb(
        verbs,
        "run",
        _run,
        summary="run the gateway until SIGTERM",
        example="  wayside run --config gateway.toml",
        config=_CONFIG,
        json_output=False,
    )


def _init(options: argparse.Namespace) -> int:
    from edge.config import load_gateway_place

    ensure_sample(options.config, GATEWAY_TOML)
    place = load_gateway_place(options.config)
    return ensure_identity(place.gateway, place.key_path, as_json=options.json, table="gateway")


def _check(options: argparse.Namespace) -> int:
    from edge.config import load_gateway_config

    try:
        config = load_gateway_config(options.config)
    except SettingsError as error:
        if not options.json:
            raise
        print_json({"valid": False, "problems": list(error.problems)})
        return NOT_TRIED
    devices = [{"id": device.id, "driver": device.driver} for device in config.devices]
    unprepared = _unprepared(config)
    place = config.place
    if options.json:
        print_json(
            {"valid": True, "city": place.city, "gateway": place.gateway, "devices": devices, "unprepared": unprepared}
        )
    else:
        names = ", ".join(f"{device['id']} ({device['driver']})" for device in devices) or "none"
        print_line(f"{options.config}: good; gateway {place.gateway} of {place.city}, devices: {names}")
        for device, lacks in unprepared.items():
            for one in lacks:
                print_line(printable(f"{device} cannot work yet: {one}"))
    return DONE


def _unprepared(config: GatewayConfig) -> dict[str, tuple[str, ...]]:
    """By device what it needs beside the configuration, and has not, such as a camera's confirmed view."""
    from devices.driver import Prepared
    from devices.registry import load_driver

    lacking = {}
    for device in config.devices:
        driver = load_driver(device.driver)
        if issubclass(driver, Prepared) and (lacks := driver.unprepared(device.settings)):
            lacking[device.id] = lacks
    return lacking


def _run(options: argparse.Namespace) -> int:
    from edge.cli.running import run_until_signal
    from edge.config import load_gateway_config
    from edge.gateway import run_gateway

    config = load_gateway_config(options.config)
    run_until_signal(lambda stop: run_gateway(config, stop))
    return DONE
