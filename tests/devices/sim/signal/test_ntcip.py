from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError
from devices.signal import ntcip
from devices.signal.ntcip import Ntcip, NtcipSettings
from devices.signal.ntcip_snmp import Answer, GetRequest, decode_answer, encoded_oid
from devices.sim.device import DeviceClock, Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.signal.cycle import CROSSINGS, PHASES, SignalCycle
from devices.sim.signal.fixed_time import fixed_time
from devices.sim.signal.ntcip import NtcipController
from devices.sim.signal.snmp_agent import GET, SnmpAgent
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.signal.snmp_library import LibraryAgent, read_request
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

SIDES = ({1, 2, 5, 6}, {3, 4, 7, 8})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntcip, "ANSWER_DEADLINE_S", 0.1)


async def watched(controller: NtcipController, seconds: float, **keys: Any) -> tuple[list[dict[str, Any]], Ntcip]:
    """What a gateway records of the simulated controller, opening again as its supervisor would."""
    await controller.start()
    table = {key: value for key, value in controller.settings().items() if key != "driver"}
    settings = read_settings(NtcipSettings, table | {"poll_ms": 50} | keys, Problems())
    if settings is not None and settings.community_file is not None:
        assert settings.community_file.is_file()
    assert settings is not None
    driver, recorded = Ntcip("signal-1", settings), []
    running = asyncio.create_task(controller.run())
    states: dict[tuple[int, str], str] = {}
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await driver.open()
                    async for reading in driver.readings():
                        head = (reading.data["group"], reading.data["kind"])
                        if states.get(head) != reading.data["state"]:
                            states[head] = reading.data["state"]
                            recorded.append(dict(reading.data))
                except DeviceError:
                    await driver.close()
    except TimeoutError:
        pass
    await driver.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return recorded, driver


def assert_all_recorded(recorded: list[dict[str, Any]], truth: io.StringIO) -> None:
    """All that is sure, in order; but the driver may have been stopped between the last answer and its reading."""
    rows = [json.loads(line) for line in truth.getvalue().splitlines()]
    sure = [row["data"] for row in rows if row["sure"]]
    known = [row | {"resolution_ms": "*", "cause": "*"} for row in recorded]
    assert known == sure[: len(known)]
    assert len(sure) - len(known) < 6


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_every_change_that_a_poll_could_see_is_read_once_and_in_order(tmp_path: Path, version: str) -> None:
    truth = io.StringIO()
    options = {"snmp_version": version, "community": "traffic"}
    placement = Placement(id="signal-1", seed=3, folder=tmp_path, interval_s=0.1, options=options)
    controller = NtcipController(placement, Truth(truth))
    recorded, driver = await watched(controller, 2.0)
    assert_all_recorded(recorded, truth)
    assert len(recorded) > 18
    assert {row["state"] for row in recorded} == {
        "green",
        "yellow",
        "red",
        "walk",
        "pedestrian_clearance",
        "dont_walk",
    }
    assert set(controller.agent.requests) == {GET}
    assert driver.counters.errors == 0


async def test_lost_cut_late_and_garbage_answers_and_power_failures_lose_nothing_that_was_answered(
    tmp_path: Path,
) -> None:
    truth = io.StringIO()
    faults = FaultRates(noise=0.1, flip=0.05, truncate=0.05, unplug=0.01, slow_s=0.03)
    placement = Placement(id="signal-1", seed=8, folder=tmp_path, interval_s=0.2, faults=faults)
    controller = NtcipController(placement, Truth(truth))
    recorded, driver = await watched(controller, 4.0)
    assert_all_recorded(recorded, truth)
    assert len(recorded) > 20
    assert driver.counters.errors > 3


async def test_a_controller_without_walks_is_read_without_them(tmp_path: Path) -> None:
    options = {"missing_columns": [7]}
    placement = Placement(id="signal-1", seed=3, folder=tmp_path, interval_s=0.1, options=options)
    recorded, driver = await watched(NtcipController(placement, Truth()), 1.0)
    assert {row["state"] for row in recorded} <= {
        "green",
        "yellow",
        "red",
        "pedestrian_clearance",
        "dont_walk",
        "unknown",
    }
    assert driver.counters.errors == 1


async def test_the_simulated_agent_answers_another_implementation_as_another_agent_would() -> None:
    """pysnmp's own reading of request and answer, held against the simulated agent's."""
    held = {(1, 3, 6, 1, 2, 1, 1, 3, 0): (0x43, 4_000_000_000), (1, 3, 6, 1, 9): (0x02, 200)}
    for version in ("1", "2c"):
        library = LibraryAgent()
        library.objects = {"1.3.6.1.2.1.1.3.0": 4_000_000_000, "1.3.6.1.9": 200}
        agent = SnmpAgent(b"public", held.get)
        for oids in (["1.3.6.1.2.1.1.3.0", "1.3.6.1.9"], ["1.3.6.1.9", "1.3.6.1.8"]):
            request = GetRequest(version, b"public", tuple(map(encoded_oid, oids))).encode(0x01020304)
            assert read_request(request)[4] == oids
            ours, theirs = agent.answer(request), library.answer(request)
            assert ours is not None
            wanted = decode_answer(theirs)
            answered = decode_answer(ours)
            if version == "1" or "1.3.6.1.8" not in oids:
                assert answered == wanted
            assert isinstance(answered, Answer)
            assert isinstance(wanted, Answer)
            assert answered.error_status == wanted.error_status
        assert agent.answer(GetRequest(version, b"private", ()).encode(0x01020304)) is None


@pytest.mark.parametrize("datagram", [b"", b"\x30", b"\x30\x05\x02\x01\x00", b"\x30\x84\xff\xff\xff\xff", b"\xa0" * 40])
def test_the_simulated_agent_is_silent_about_garbage(datagram: bytes) -> None:
    assert SnmpAgent(b"public", lambda _: None).answer(datagram) is None


def test_the_same_seed_gives_the_same_program_and_another_another() -> None:
    one, same, other = (list(islice(SignalCycle(seed, 1.0).steps(), 500)) for seed in (7, 7, 8))
    assert one == same != other
    assert [step.at for step in one] == sorted(step.at for step in one)


def test_a_program_of_fixed_times_begins_with_green_and_begins_again_and_again() -> None:
    changes = [(step.at, step.phase, step.state) for step in islice(fixed_time(2, 9.0, 3.0, 12.0), 5)]
    assert changes == [(0, 2, "green"), (90, 2, "yellow"), (120, 2, "red"), (240, 2, "green"), (330, 2, "yellow")]


async def test_a_controller_of_fixed_times_shows_what_the_places_clock_says(tmp_path: Path) -> None:
    clock = DeviceClock(began_s=time.monotonic() - 10.5)
    program = {"phase": 2, "green_s": 9.0, "yellow_s": 3.0, "red_s": 12.0}
    controller = NtcipController(
        Placement("controller-1", 1, tmp_path, clock=clock, options={"fixed_time": program}), Truth()
    )
    await controller.start()
    running = asyncio.ensure_future(controller.run())
    await until(lambda: controller._states[2, "vehicle"] == "yellow", "it is amid yellow", 1.0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def test_the_program_never_gives_green_to_both_sides_of_the_barrier_nor_to_two_phases_of_a_ring() -> None:
    shown = dict.fromkeys(PHASES, "red")
    served = set()
    for _, together in _moments(SignalCycle(5, 1.0), 2000):
        for step in together:
            if step.kind == "vehicle":
                shown[step.phase] = step.state
        moving = {phase for phase, state in shown.items() if state != "red"}
        assert any(moving <= side for side in SIDES)
        assert len(moving & {1, 2, 3, 4}) <= 1
        assert len(moving & {5, 6, 7, 8}) <= 1
        served |= moving
    assert served == set(PHASES)


def test_nobody_walks_but_with_the_green_of_their_phase() -> None:
    shown: dict[tuple[int, str], str] = {}
    for _, together in _moments(SignalCycle(5, 1.0), 2000):
        for step in together:
            shown[step.phase, step.kind] = step.state
        for phase in CROSSINGS:
            if shown.get((phase, "pedestrian"), "dont_walk") != "dont_walk":
                assert shown[phase, "vehicle"] == "green"


def _moments(cycle: SignalCycle, count: int) -> list[tuple[int, list[Any]]]:
    moments: dict[int, list[Any]] = {}
    for step in islice(cycle.steps(), count):
        moments.setdefault(step.at, []).append(step)
    return list(moments.items())[:-1]
