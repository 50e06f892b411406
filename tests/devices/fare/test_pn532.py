from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, Sealing, WireCounters, WireRole
from devices.fare import pn532
from devices.fare.pn532_target import EMPTY_POLLS
from devices.sim.faults import FaultRates
from tests.devices.fare.readers import TruthText, listening, pn532_driver, pn532_reader, running
from tests.devices.fare.sealing import opened
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.pty import PseudoTerminal

UID = bytes.fromhex("04a1b2c3d4e580")


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pn532, "POLL_S", 0.02)


async def test_a_card_becomes_a_sealed_tap_of_the_configured_direction(tmp_path: Path) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        reader.chip.card = UID
        (tap,) = await take(driver, 1)
        await driver.close()
    assert_plain(tap.data)
    assert (tap.type, tap.origin) == ("fare.tap", Origin.CHECKSUM)
    assert set(tap.data) == {"direction", "card_sealed", "auth"}
    assert (tap.data["direction"], tap.data["auth"]) == ("in", "card")
    assert opened(tap.data["card_sealed"]) == "iso14443a:04a1b2c3d4e580"


async def test_a_uid_that_the_card_made_up_is_told_as_such(tmp_path: Path) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        reader.chip.card = b"\x08" + UID[:3]
        (tap,) = await take(driver, 1)
        await driver.close()
    assert tap.data["result"] == "random_uid"


async def test_a_card_is_one_tap_however_long_it_is_held_and_another_when_it_comes_back(tmp_path: Path) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        async with listening(driver) as taps:
            reader.chip.card = UID
            await until(lambda: taps)
            await asyncio.sleep(0.3)  # ten polls or so that must not tell it again
            assert len(taps) == 1
            reader.chip.card = None
            await until(lambda: driver._presence._empty_polls >= EMPTY_POLLS)
            reader.chip.card = UID
            await until(lambda: len(taps) == 2)
        await driver.close()


async def test_a_card_that_is_held_while_the_reader_is_replugged_is_still_one_tap(tmp_path: Path) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        reader.chip.card = UID
        await take(driver, 1)
        assert reader._terminal is not None
        with pytest.raises(DeviceError, match="pole-1"):
            await take(driver, 1, during=reader._terminal.unplug)
        reader._terminal.replug()
        reader.chip.awake = False
        await driver.open()
        async with listening(driver) as taps:
            await asyncio.sleep(0.2)
            assert taps == []
            reader.chip.card = UID[:4]
            await until(lambda: taps)
        await driver.close()


async def test_every_tap_that_the_reader_is_sure_of_is_read_once_in_spite_of_damage(tmp_path: Path) -> None:
    truth = TruthText()
    reader = pn532_reader(tmp_path, truth, 0.8, FaultRates(noise=0.3, flip=0.2, truncate=0.2))
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        async with listening(driver) as taps:
            await until(lambda: len(reader.cards) == 5, deadline_s=10)
        await driver.close()
    cards = [opened(tap.data["card_sealed"]).partition(":")[2] for tap in taps]
    sure = [card.hex() for card, row in zip(reader.cards, truth.rows, strict=True) if row["sure"]]
    told = [card.hex() for card in reader.cards]
    assert len(set(cards)) == len(cards)
    assert set(sure) <= set(cards)
    assert cards == [card for card in told if card in cards]
    assert driver.counters.errors + driver.counters.resyncs > 0


async def test_a_reader_that_does_not_answer_is_told_and_its_port_is_free(terminal: PseudoTerminal) -> None:
    with pytest.raises(DeviceError, match=r"port: the reader does not answer; check its power"):
        await pn532_driver(terminal.path).open()
    assert terminal.path not in open_files()


async def test_a_reader_that_falls_silent_is_a_device_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        monkeypatch.setattr(reader.chip, "receive", lambda _data: [])
        with pytest.raises(DeviceError, match="the reader does not answer"):
            await take(driver, 1)
        await driver.close()
    assert driver.counters.errors == pn532.UNANSWERED_MAX


async def test_making_a_driver_touches_nothing_and_a_missing_port_is_named() -> None:
    before = open_files()
    driver = pn532_driver("/nowhere/port")
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.SOLE_MASTER
    assert isinstance(driver, Sealing)
    with pytest.raises(DeviceError, match="/nowhere/port"):
        await driver.open()
    await driver.close()


async def test_cancelling_leaves_a_driver_that_closes_and_opens(tmp_path: Path) -> None:
    reader = pn532_reader(tmp_path)
    async with running(reader):
        driver = pn532_driver(reader.settings()["port"])
        await driver.open()
        async with listening(driver):
            await asyncio.sleep(0.05)
        await driver.close()
        await driver.close()
        await driver.open()
        reader.chip.card = UID
        assert await take(driver, 1)
        await driver.close()
