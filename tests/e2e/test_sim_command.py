"""`wayside sim`: a place is run, and its journal held against what really happened there; and that this can fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from devices.registry import driver_names
from tests.e2e.black_box import WAYSIDE, sentence, told, until, wayside
from tests.support.brokers import start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HARNESS_END_S = 30.0

SMALL = """
name = "small"
duration_s = 6
seed = 2

[gateway]
kill_every_s = 3

[[device]]
kind = "meter-sml"
id = "meter"
interval_s = 0.2
gateway = { record_every_s = 0 }
faults = { noise = 0.1, flip = 0.1 }

[[device]]
kind = "fare-validator"
id = "gate"
interval_s = 0.1
"""


def run_place(scenario: object, folder: Path, *arguments: object, lasts_s: float) -> dict[str, Any]:
    """Run a scenario with a gateway to its end; what it prints."""
    command = [str(WAYSIDE), "sim", "run", scenario, "--folder", folder, "--gateway", "--json", *arguments]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=lasts_s + HARNESS_END_S, check=False
    )
    assert done.returncode == 0, done.stderr + "".join(path.read_text()[-3000:] for path in folder.glob("*.log"))
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def verdicts(folder: Path, code: int = 0) -> dict[str, dict[str, Any]]:
    """What the check says of each device."""
    shown = told("sim", "check", folder / "truth.jsonl", "--config", folder / "gateway.toml", code=code)
    assert shown["holds"] is (code == 0), shown
    return {one["device"]: one for one in shown["devices"]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    scenario = folder / "small.toml"
    scenario.write_text(SMALL)
    place = folder / "place"
    said = run_place(scenario, place, lasts_s=6)
    assert said["kills"] >= 1
    return place


def test_a_place_with_a_gateway_that_is_killed_holds(small: Path) -> None:
    shown = verdicts(small)
    assert shown.keys() == {"meter", "gate"}
    assert all(one["recorded"] > 0 for one in shown.values())


def spoil(small: Path, tmp_path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Path:
    rows = [json.loads(line) for line in (small / "truth.jsonl").read_text().splitlines()]
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))
    return path


def with_zone_99(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "data": {**row["data"], "zone": 99}} if "zone" in row.get("data", {}) else row


@pytest.mark.parametrize(
    ("change", "told_by"),
    [
        (lambda rows: [with_zone_99(row) for row in rows], "was never said like this"),
        (lambda rows: [row for row in rows if row["device"] != "meter"], "was never said like this"),
    ],
)
def test_a_journal_that_says_something_else_than_the_truth_does_not_hold(
    small: Path, tmp_path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], told_by: str
) -> None:
    truth = spoil(small, tmp_path, change)
    done = wayside("sim", "check", truth, "--config", small / "gateway.toml", code=1)
    assert told_by in done.stdout
    assert "DOES NOT HOLD" in done.stdout


def test_a_truth_that_is_none_and_a_folder_that_is_used_are_told(small: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text('{"device": 1}\n')
    config = small / "gateway.toml"
    assert "line 1" in sentence("sim", "check", tmp_path / "truth.jsonl", "--config", config)
    assert "name another --folder" in sentence("sim", "run", "street", "--folder", small)
    assert "intersection" in sentence("sim", "run", "no-such-place", "--folder", tmp_path / "new")


def test_devices_run_alone_until_sigterm_and_a_gateway_is_told_how_to_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "street"
    process = subprocess.Popen(
        [WAYSIDE, "sim", "run", "street", "--folder", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        tables = folder / "devices.toml"
        until(lambda: tables.exists() and (folder / "gateway.toml").exists() and tables.read_text())
        assert "[[device]]" in tables.read_text()
        assert wayside("check", "--config", folder / "gateway.toml")
    finally:
        process.send_signal(signal.SIGTERM)
        said, logged = process.communicate(timeout=HARNESS_END_S)
    assert process.returncode == 0, logged
    assert "wayside sim check" in said
    assert [path.name for path in folder.iterdir() if path.is_symlink()] == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform != "linux", reason="devices on pseudo-terminals")
def test_an_intersection_with_all_its_devices_and_everything_going_wrong_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    with start_mosquitto(tmp_path) as broker:
        place = tmp_path / "crossing"
        said = run_place("intersection", place, "--broker", broker.url, lasts_s=150)
    shown = verdicts(place)
    assert said["kills"] >= 4
    assert len(shown) == said["devices"]
    assert all(one["recorded"] for one in shown.values())
    assert wayside("journal", "verify", "--config", place / "gateway.toml")
    with (place / "gateway.toml").open() as file:
        drivers = {line.split('"')[1] for line in file if line.startswith("driver = ")}
    drivers.add("evidence-camera")  # known where another test of this process registered it
    assert set(driver_names()) - drivers <= {"sml", "mbus", "han", "iec62056", "mqtt-meter", "pn532", "camera"}


DAY = """
name = "day"
duration_s = 120
seed = 4
time_scale = 720
start = 2026-03-28T22:00:00Z   # the clocks go forward in this night
"""
PUSHING = {
    "meter-dsmr": "options = { summer_time = true }",
    "meter-sml": "",
    "meter-han": "",
    "meter-mqtt": "",
    "parking-chirpstack": "gateway = { record_on_change = false }",
    "signal-hires": "",
}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_day_of_the_devices_that_push_is_recorded_whole(tmp_path: Path) -> None:
    scenario = tmp_path / "day.toml"
    tables = [DAY]
    for kind, more in PUSHING.items():
        every = "" if "gateway" in more or kind == "signal-hires" else "gateway = { record_every_s = 0 }"
        tables.append(f'[[device]]\nkind = "{kind}"\nid = "{kind}"\ninterval_s = 360\n{more}\n{every}\n')
    scenario.write_text("\n".join(tables))
    with start_mosquitto(tmp_path) as broker:
        place = tmp_path / "place"
        run_place(scenario, place, "--broker", broker.url, lasts_s=120)
    shown = verdicts(place)
    assert shown.keys() == set(PUSHING)
    assert all(one["recorded"] >= 50 for one in shown.values()), shown


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    for wrong in ("-2", "0", "nan"):
        refused = wayside("sim", "run", "street", "--folder", tmp_path / "place", "--seconds", wrong, code=2)
        assert "is no number of seconds" in refused.stderr
