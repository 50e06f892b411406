"""Each driver has a page beside its module, and what it says is true."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from devices.registry import GROUP, driver_names, load_driver
from edge.device.config import read_device
from ledger_sync.proof.settings import Problems

ROOT = Path(__file__).parents[2]
MODULES = {one.name: one.module for one in entry_points(group=GROUP) if one.module.startswith("devices.")}
SECTIONS = ["Wiring", "Settings", "Example", "Events", "Traps"]
LINES_MAX = 140


def page(driver: str) -> str:
    return (ROOT / MODULES[driver].replace(".", "/")).with_suffix(".md").read_text(encoding="utf-8")


def test_the_table_of_drivers_links_every_page() -> None:
    readme = (ROOT / "devices/README.md").read_text(encoding="utf-8")
    linked = dict(re.findall(r"^\| \[`([a-z0-9-]+)`\]\(([a-z0-9_/]+\.md)\)", readme, re.MULTILINE))
    assert linked == {name: "/".join(module.split(".")[1:]) + ".md" for name, module in MODULES.items()}
    assert set(linked) == set(driver_names())


@pytest.mark.parametrize("driver", sorted(MODULES))
def test_a_page_names_its_driver_and_has_its_sections(driver: str) -> None:
    lines = page(driver).splitlines()
    assert lines[0].startswith(f"# `{driver}`: ")
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS
    assert len(lines) <= LINES_MAX


@pytest.mark.parametrize("driver", sorted(MODULES))
def test_every_key_of_a_driver_is_in_its_settings(driver: str) -> None:
    section = page(driver).partition("\n## Settings")[2].partition("\n## ")[0]
    told = {key for row in re.findall(r"^\| ([^|]*) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert told == {field.name for field in dataclasses.fields(load_driver(driver).Settings)}


@pytest.mark.parametrize("driver", sorted(MODULES))
def test_the_example_is_a_valid_device_of_this_driver(driver: str) -> None:
    section = page(driver).partition("\n## Example")[2].partition("\n## ")[0]
    devices = [
        device
        for block in re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
        for device in tomllib.loads(block).get("device", [])
    ]
    assert devices
    for device in devices:
        problems = Problems()
        assert read_device(device, ROOT, problems, "device[0]"), problems
        assert device["driver"] == driver


@pytest.mark.parametrize("driver", sorted(MODULES))
def test_a_driver_loads_only_its_own_protocols_library(driver: str) -> None:
    """A gateway of a few megabytes of memory loads what its own devices need, and nothing else."""
    libraries = {"osdp": {"osdp_sys"}, "digital-input": {"gpiod"}}
    heavy = {"aiohttp", "construct", "cv2", "han", "pymodbus", "pysnmp", "sqlite_utils"}
    others = heavy.union(*libraries.values()) - libraries.get(driver, set())
    probe = f"import {MODULES[driver]}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert not others & set(loaded)
