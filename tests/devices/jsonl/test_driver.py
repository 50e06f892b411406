from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.driver import Answering, DeviceError, Origin, Reading, Recorded, Refused
from devices.jsonl.driver import Jsonl, JsonlSettings
from devices.sim.fare.tapping import FareValidator
from devices.wire import serial_line
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.sim.pty import PseudoTerminal


@pytest.fixture
async def driver(terminal: PseudoTerminal) -> AsyncIterator[Jsonl]:
    driver = Jsonl("validator-1", JsonlSettings(port=terminal.path))
    await driver.open()
    yield driver
    await driver.close()


def tap(tap_id: str) -> bytes:
    return json.dumps({"id": tap_id, "type": "fare.tap", "data": {"direction": "in"}}).encode() + b"\n"


def answers(terminal: PseudoTerminal, count: int) -> list[dict[str, Any]]:
    """The next `count` answers: the kernel may hand them over in pieces."""
    received, deadline = b"", time.monotonic() + 20
    while received.count(b"\n") < count:
        assert time.monotonic() < deadline, received
        received += terminal.read(1)
    return [json.loads(line) for line in received.splitlines()]


async def answered(driver: Jsonl, count: int) -> list[Reading]:
    readings: list[Reading] = []
    async with asyncio.timeout(20):
        async for reading in driver.readings():
            readings.append(reading)
            await driver.answer(reading, Recorded())
            if len(readings) == count:
                break
    return readings


async def test_a_tap_is_read_and_its_outcome_answered(terminal: PseudoTerminal, driver: Jsonl) -> None:
    assert isinstance(driver, Answering)
    terminal.write(tap("a") + tap("b"))
    (first, second) = await take(driver, 2)
    assert first == Reading("fare.tap", {"direction": "in"}, Origin.UNPROTECTED, "a")
    await driver.answer(first, Recorded())
    await driver.answer(second, Refused("zone is unknown"))
    assert answers(terminal, 2) == [{"ack": "a"}, {"refused": "b", "why": "zone is unknown"}]
    assert driver.counters.readings == 2


async def test_bad_lines_are_refused_at_once_counted_and_do_not_stop_good_ones(
    terminal: PseudoTerminal, driver: Jsonl
) -> None:
    bad = b'{"id":"f","type":"fare.tap","data":{"x":1.5}}\nnonsense\n'
    (reading,) = await take(driver, 1, during=lambda: terminal.write(bad + b"y" * 3000 + tap("a") + tap("b")))
    assert reading.id == "b"
    refused = answers(terminal, 3)
    assert [answer["refused"] for answer in refused] == ["f", None, None]
    assert driver.counters.errors == 3


async def test_a_line_too_long_is_counted_as_dropped(terminal: PseudoTerminal, driver: Jsonl) -> None:
    pieces = iter([b"y" * 4000, b"y" * 1000 + b"\n" + tap("a")])

    def send() -> None:
        for piece in pieces:
            terminal.write(piece)
            asyncio.get_running_loop().call_later(0.01, send)
            return

    (reading,) = await take(driver, 1, during=send)
    assert reading.id == "a"
    assert [answer["refused"] for answer in answers(terminal, 1)] == [None]


async def test_a_validator_gets_every_tap_acknowledged_exactly_once(terminal: PseudoTerminal, driver: Jsonl) -> None:
    validator = FareValidator(seed=5, run="r")
    count = 200
    task = asyncio.create_task(answered(driver, count))
    async with asyncio.timeout(20):
        while len(validator.acknowledged) < count:
            if len(validator.sent) < count and len(validator.unanswered) < 5:
                terminal.write(validator.tap(time.monotonic()))
            validator.receive(terminal.read())
            await asyncio.sleep(0)
    readings = await task
    assert [reading.id for reading in readings] == validator.acknowledged == list(validator.sent)
    assert [reading.data for reading in readings] == list(validator.sent.values())
    assert validator.answers_unasked == 0
    for reading in readings:
        event_type("fare.tap").check(reading.data)


async def test_taps_that_an_unplug_swallowed_are_sent_again(terminal: PseudoTerminal, driver: Jsonl) -> None:
    validator = FareValidator(seed=5, run="r")
    terminal.write(validator.tap(0.0))
    await take(driver, 1)
    terminal.replug()
    with pytest.raises(DeviceError, match="unplugged"):
        await take(driver, 1)
    await driver.open()
    assert validator.resend(1.0) == []
    for line in validator.resend(2.0):
        terminal.write(line)
    await answered(driver, 1)
    assert validator.receive(terminal.read(1)) == ["r-1"]
    assert not validator.unanswered


async def test_answers_never_mix_with_refusals(terminal: PseudoTerminal, driver: Jsonl) -> None:
    terminal.write(tap("a"))
    (reading,) = await take(driver, 1)
    received = b""

    async def acknowledge() -> None:
        for _ in range(300):
            await driver.answer(reading, Recorded())

    async def read_on() -> None:
        await take(driver, 1)

    tasks = [asyncio.create_task(acknowledge()), asyncio.create_task(read_on())]
    for index in range(300):
        terminal.write(b"bad\n" if index < 299 else tap("end"))
        received += terminal.read()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while not all(task.done() for task in tasks):
            received += terminal.read()
            await asyncio.sleep(0)
    received += terminal.read()
    lines = [json.loads(line) for line in received.splitlines()]
    assert sum("ack" in line for line in lines) == 300
    assert sum("refused" in line for line in lines) == 299


async def test_a_device_that_reads_no_answers_is_a_lost_wire_and_the_answer_itself_raises_nothing(
    terminal: PseudoTerminal, driver: Jsonl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "WRITE_DEADLINE_S", 0.2)
    terminal.write(tap("a"))
    (reading,) = await take(driver, 1)
    iterating = asyncio.create_task(take(driver, 1))
    async with asyncio.timeout(10):
        while not iterating.done():
            await driver.answer(reading, Refused("x" * 1000))
            await asyncio.sleep(0)
    with pytest.raises(DeviceError, match="took no bytes"):
        await iterating


async def test_a_flood_of_bad_lines_leaves_the_loop_to_others(terminal: PseudoTerminal, driver: Jsonl) -> None:
    reading = asyncio.create_task(take(driver, 1))
    turns, longest = 0, 0.0
    async with asyncio.timeout(20):
        while driver.counters.errors < 5000:
            terminal.write(b"x\n" * 2000)
            terminal.read()
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)
            turns += 1
    assert turns > 1000
    assert longest < 0.1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_device_on_tcp_is_read_and_answered_and_its_end_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        driver = Jsonl("validator-1", JsonlSettings(port=url))
        await driver.open()
        device, _ = listener.accept()
    with device:
        device.sendall(tap("a"))
        await answered(driver, 1)
        assert device.recv(100) == b'{"ack":"a"}\n'
    with pytest.raises(DeviceError, match=url):
        await take(driver, 1)
    await driver.close()


@pytest.mark.parametrize("port", ["", "tcp://", "tcp://host"])
def test_a_port_that_cannot_be_used_is_told_by_the_settings(port: str) -> None:
    problems = Problems()
    assert read_settings(JsonlSettings, {"port": port}, problems) is None
    assert problems[0].startswith("port: is ")


async def test_a_reading_of_another_driver_cannot_be_answered(driver: Jsonl) -> None:
    with pytest.raises(ValueError, match="not from this driver"):
        await driver.answer(Reading("meter.reading", {}, Origin.CHECKSUM), Recorded())
