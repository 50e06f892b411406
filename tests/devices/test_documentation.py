from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from devices.jsonl.driver import JsonlSettings
from devices.meter.dsmr import DsmrSettings
from devices.meter.sml import SmlSettings
from ledger_sync.proof.settings import Problems, read_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "devices/README.md").read_text(encoding="utf-8")
SETTINGS = {"dsmr": DsmrSettings, "jsonl": JsonlSettings, "sml": SmlSettings}
EXAMPLES = [
    table
    for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    for table in tomllib.loads(block).get("device", [])
]


def test_each_driver_has_an_example() -> None:
    assert {example["driver"] for example in EXAMPLES} == set(SETTINGS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["id"])
def test_an_example_is_valid(example: dict[str, object]) -> None:
    problems = Problems()
    own = {key: value for key, value in example.items() if key not in {"id", "driver"}}
    assert read_settings(SETTINGS[str(example["driver"])], own, problems), problems


@pytest.mark.parametrize("driver", SETTINGS)
def test_every_key_of_a_driver_is_in_its_section(driver: str) -> None:
    section = README.partition(f"## `{driver}`")[2].partition("\n## ")[0]
    for field in dataclasses.fields(SETTINGS[driver]):
        assert f"`{field.name}`" in section


def test_the_drivers_load_no_heavy_library() -> None:
    probe = "import devices.meter.dsmr, devices.meter.sml, devices.jsonl.driver, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert not {"aiohttp", "bitstring", "serialx", "dsmr_parser", "sml", "paho", "sqlite_utils"} & set(loaded)
