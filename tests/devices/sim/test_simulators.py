from __future__ import annotations

import ast
import asyncio
import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from devices.sim.fare.tapping import FareValidator
from devices.sim.faults import FaultRates, Faults
from devices.sim.interval import each_interval
from devices.sim.meter.dsmr_frame import DsmrFrames
from devices.sim.meter.sml_frame import SmlFrames
from ledger_sync.proof.event_types import event_type

NOW = datetime(2026, 7, 22, 12, 34, 56, tzinfo=UTC)
SOURCES = sorted((Path(__file__).parents[3] / "devices/sim").rglob("*.py"))


LIBRARIES = {"cv2", "gi", "numpy", "osdp", "osdp_sys", "paho"}
"""What a simulator may use beside the standard library: to render and serve video, libosdp for both ends, and MQTT."""


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: "-".join(path.parts[-2:]))
def test_a_simulator_needs_the_standard_library_and_known_libraries_only(source: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(node.module or "")
    outside = {name for name in imported if not name.startswith("devices.sim")}
    assert {name.partition(".")[0] for name in outside} <= sys.stdlib_module_names | LIBRARIES


@pytest.mark.parametrize("meter", [DsmrFrames, SmlFrames])
def test_the_same_seed_gives_the_same_meter(meter: type[DsmrFrames | SmlFrames]) -> None:
    one, same, other = meter(7), meter(7), meter(8)
    frames = [one.frame(NOW) for _ in range(5)]
    assert frames == [same.frame(NOW) for _ in range(5)]
    assert frames[0] != other.frame(NOW)


@pytest.mark.parametrize("meter", [DsmrFrames, SmlFrames])
def test_energy_never_falls(meter: type[DsmrFrames | SmlFrames]) -> None:
    simulated, before = meter(7), [0.0]
    for _ in range(200):
        _, truth = simulated.frame(NOW)
        now = [float(row["value"]) for said in truth for row in said["registers"] if ".8." in row["obis"]]
        assert all(new >= old for new, old in zip(now, before, strict=False))
        before = now


async def test_devices_of_one_interval_do_not_tick_together() -> None:
    ticks: asyncio.Queue[int] = asyncio.Queue()
    tasks = [asyncio.create_task(each_interval(0.5, partial(ticks.put, seed), seed=seed)) for seed in (1, 2)]
    assert [await ticks.get() for _ in range(4)] == [
        2,
        1,
        2,
        1,
    ]  # Random(2) begins at 0.96 of the interval, Random(1) at 0.13
    for task in tasks:
        task.cancel()


def test_a_dsmr_meters_clock_stays_on_winter_time() -> None:
    assert DsmrFrames(7).frame(NOW)[1][0]["meter_time"] == "260722133456W"


@pytest.mark.parametrize(
    ("utc", "told"),
    [
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "260329015959W"),
        (datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC), "260329030000S"),
        (datetime(2026, 10, 25, 0, 30, 0, tzinfo=UTC), "261025023000S"),
        (datetime(2026, 10, 25, 1, 30, 0, tzinfo=UTC), "261025023000W"),
    ],
)
def test_a_dsmr_meter_with_summer_time_tells_the_hour_that_comes_twice_apart(utc: datetime, told: str) -> None:
    assert DsmrFrames(7, summer_time=True).frame(utc)[1][0]["meter_time"] == told


def test_faults_repeat_with_their_seed_and_tell_whether_a_frame_is_whole() -> None:
    rates = FaultRates(noise=0.5, flip=0.3, truncate=0.3, unplug=0.5)
    one, same = Faults(rates, 3), Faults(rates, 3)
    frame = bytes(range(200))
    for _ in range(100):
        damaged, whole = one.apply(frame)
        assert (damaged, whole) == same.apply(frame)
        assert damaged.endswith(frame) or not whole
        assert one.unplugs() == same.unplugs()


def test_without_faults_a_frame_goes_through_untouched() -> None:
    faults = Faults(FaultRates(), 3)
    assert faults.apply(b"frame") == (b"frame", True)
    assert not faults.unplugs()


def test_a_validator_sends_a_tap_again_until_it_is_answered() -> None:
    validator = FareValidator(seed=1, run="r")
    line = validator.tap(10.0)
    assert validator.resend(11.9) == []
    assert validator.resend(12.0) == [line]
    assert validator.resend(13.0) == []
    assert validator.receive(b'{"ack":"r-') == []
    assert validator.receive(b'1"}\n{"ack":"r-1"}\n') == ["r-1"]
    assert validator.resend(99.0) == []
    assert validator.acknowledged == ["r-1"]
    assert validator.answers_unasked == 0


def test_a_validator_keeps_what_was_refused_apart_and_counts_answers_nobody_asked_for() -> None:
    validator = FareValidator(seed=1, run="r")
    validator.tap(0.0)
    assert validator.receive(b'{"refused":"r-1","why":"no"}\n{"refused":null,"why":"x"}\n{"ack":"z"}\nnoise\n') == []
    assert validator.refused == {"r-1": "no"}
    assert not validator.unanswered
    assert validator.answers_unasked == 3


def test_a_validators_taps_are_what_the_event_type_asks_for() -> None:
    validator = FareValidator(seed=1, run="r")
    for _ in range(50):
        event = json.loads(validator.tap(0.0))
        assert event_type(event["type"]).check(event["data"]) == event["data"]
    assert len({data["token"] for data in validator.sent.values()}) == 50
