from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import osdp_sys
import pytest
from osdp import Event

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import Answering, DeviceError, Origin, Recorded, Refused, Sealing, WireCounters, WireRole
from devices.fare import osdp
from devices.fare.osdp import Osdp, OsdpSettings
from devices.fare.osdp_link import INPUT_BYTES_MAX, SecureLink
from devices.sim.faults import FaultRates
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.fare.bridge import bridged
from tests.devices.fare.readers import TruthText, listening, osdp_driver, osdp_reader, running
from tests.devices.fare.sealing import opened, seal
from tests.support.waiting import until

if TYPE_CHECKING:
    from devices.sim.pty import PseudoTerminal


async def test_a_card_becomes_a_sealed_tap_of_the_configured_direction(tmp_path: Path) -> None:
    reader = osdp_reader(tmp_path, direction="out")
    async with running(reader):
        driver = osdp_driver(reader)
        await driver.open()
        (tap,) = await take(driver, 1, during=reader.present)
        await driver.close()
    assert_plain(tap.data)
    assert (tap.type, tap.origin) == ("fare.tap", Origin.AUTHENTICATED_LINK)
    assert set(tap.data) == {"direction", "card_sealed", "auth"}
    assert (tap.data["direction"], tap.data["auth"]) == ("out", "card")
    assert opened(tap.data["card_sealed"]) == f"wiegand-26:{reader.cards[0].hex()}"


async def test_a_match_of_a_finger_is_told_with_its_card(tmp_path: Path) -> None:
    reader = osdp_reader(tmp_path, biometric=True)
    async with running(reader):
        driver = osdp_driver(reader)
        await driver.open()
        (tap,) = await take(driver, 1, during=reader.present)
        await driver.close()
    assert tap.data["auth"] == "both"
    assert tap.data["bio"]["result"] == "match"
    assert 128 <= tap.data["bio"]["score"] <= 255
    assert opened(tap.data["card_sealed"]) == f"wiegand-26:{reader.cards[0].hex()}"


async def test_the_light_is_green_only_for_what_is_recorded(tmp_path: Path) -> None:
    truth = TruthText()
    reader = osdp_reader(tmp_path, truth)
    async with running(reader):
        driver = osdp_driver(reader)
        await driver.open()
        async with listening(driver) as taps:
            reader.present()
            await until(lambda: len(taps) == 1)
            await driver.answer(taps[0], Refused("the journal is full"))
            await asyncio.sleep(0.3)
            assert [row["sure"] for row in truth.rows] == [False]
            await driver.answer(taps[0], Recorded())
            await until(lambda: truth.rows[0]["sure"], "the light is green")
        await driver.close()


async def test_a_reader_with_another_key_is_told_by_name_and_never_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp, "REFUSED_MAX_S", 1.5)
    reader = osdp_reader(tmp_path, wrong_key=True, address=9)
    async with running(reader):
        reader.present()
        driver = osdp_driver(reader)
        with pytest.raises(DeviceError, match=r"reader 9 at port .*gate-1: answers, but not with the key in .*scbk"):
            await driver.open()
    assert driver.counters.readings == 0
    assert driver.counters.errors == 1


async def test_a_silent_reader_is_told_after_a_while(
    terminal: PseudoTerminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp, "ABSENT_MAX_S", 0.3)
    driver = silent_driver(tmp_path, terminal.path)
    with pytest.raises(DeviceError, match="does not answer; check its power"):
        await driver.open()
    assert terminal.path not in open_files()


def silent_driver(folder: Path, port: str) -> Osdp:
    key = folder / "key"
    key.write_text("00112233445566778899aabbccddeeff")
    key.chmod(0o600)
    driver = Osdp("gate-1", OsdpSettings(port=port, key_file=key, direction="in"))
    driver.use_seal(seal)
    return driver


@pytest.mark.parametrize("both_ways", [True, False], ids=["both ways", "only replies"])
async def test_a_reader_is_back_within_5_s_of_a_cut_of_its_wire(tmp_path: Path, both_ways: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """A lost reply breaks the chain of the secure channel: libosdp alone would stay away for 300 s."""
    reader = osdp_reader(tmp_path)
    async with running(reader), bridged(reader.settings()["port"], tmp_path / "bridge") as bridge:
        driver = osdp_driver(reader, port=bridge.port)
        await driver.open()
        async with listening(driver) as taps:
            bridge.from_reader_cut, bridge.to_reader_cut = True, both_ways
            await asyncio.sleep(1.0)
            bridge.mend()
            reader.present()
            await until(lambda: taps, "the reader is back", deadline_s=5.0)
        assert driver.counters.errors == driver.counters.resyncs == (0 if both_ways else 1)
        await driver.close()


async def test_a_channel_that_stays_lost_is_a_device_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osdp, "LOST_MAX_S", 0.2)
    reader = osdp_reader(tmp_path)
    async with running(reader), bridged(reader.settings()["port"], tmp_path / "bridge") as bridge:
        driver = osdp_driver(reader, port=bridge.port)
        await driver.open()
        bridge.from_reader_cut = True
        asyncio.get_running_loop().call_later(0.3, bridge.mend)
        with pytest.raises(DeviceError, match="the secure channel was lost"):
            await take(driver, 1)
        await driver.close()


async def test_an_unplugged_adapter_is_a_device_error_and_the_driver_opens_again(tmp_path: Path) -> None:
    reader = osdp_reader(tmp_path)
    async with running(reader):
        driver = osdp_driver(reader)
        await driver.open()
        assert reader._terminal is not None
        with pytest.raises(DeviceError, match="gate-1"):
            await take(driver, 1, during=reader._terminal.unplug)
        reader._terminal.replug()
        await driver.open()
        assert await take(driver, 1, during=reader.present)
        await driver.close()


async def test_noise_and_damage_on_the_wire_raise_nothing_and_double_nothing(tmp_path: Path) -> None:
    truth = TruthText()
    faults = FaultRates(noise=0.5, flip=0.3)
    reader = osdp_reader(tmp_path, truth, 0.3, faults)
    async with running(reader):
        driver = osdp_driver(reader)
        await driver.open()
        cards = []
        for _ in range(2):
            (tap,) = await take(driver, 1)
            await driver.answer(tap, Recorded())
            cards.append(opened(tap.data["card_sealed"]).partition(":")[2])
        await driver.close()
    told = [card.hex() for card in reader.cards]
    assert cards == [card for card in told if card in cards]


async def test_making_a_driver_touches_nothing_and_a_missing_port_is_named(tmp_path: Path) -> None:
    before = open_files()
    driver = silent_driver(tmp_path, "/nowhere/port")
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.SOLE_MASTER
    assert isinstance(driver, Answering)
    assert isinstance(driver, Sealing)
    with pytest.raises(DeviceError, match="/nowhere/port"):
        await driver.open()
    await driver.close()


async def test_cancelling_frees_the_port(terminal: PseudoTerminal, tmp_path: Path) -> None:
    driver = silent_driver(tmp_path, terminal.path)
    opening = asyncio.create_task(driver.open())
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await driver.close()
    await driver.close()
    other = silent_driver(tmp_path, terminal.path)
    opening = asyncio.create_task(other.open())
    await until(terminal.read, "the port is open")
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await other.close()


def test_what_the_panel_does_not_fetch_is_bounded() -> None:
    link = SecureLink(0, bytes(16))
    link.receive(bytes(3 * INPUT_BYTES_MAX))
    assert link.take_dropped() == 2 * INPUT_BYTES_MAX
    assert link.take_dropped() == 0


def test_garbage_for_the_panel_raises_nothing() -> None:
    link = SecureLink(0, bytes(16))
    for turn in range(200):
        link.receive(bytes(range(256)) + b"\x53\x80\x0c\x00\x04")
        assert link.refresh(turn / 50) == []
    assert not link.secure


@pytest.mark.parametrize(
    ("key", "value"),
    [("address", 127), ("baudrate", 300), ("direction", "up"), ("vendor_code", 1 << 24), ("key_file", 5)],
)
def test_settings_out_of_range_are_refused(key: str, value: object) -> None:
    problems = Problems()
    table = {"port": "/dev/ttyS0", "key_file": "gate.scbk", "direction": "in"} | {key: value}
    assert read_settings(OsdpSettings, table, problems) is None
    assert problems[0].startswith(f"{key}: ")


def test_the_key_is_named_by_its_path_and_never_given() -> None:
    problems = Problems()
    settings = read_settings(OsdpSettings, {"port": "p", "key_file": "gate.scbk", "direction": "in"}, problems)
    assert settings is not None
    assert settings.key_file == Path("gate.scbk")


class PlainReader:
    """A reader that speaks in clear, as one that somebody put in the place of the real one."""

    id = 0

    def __init__(self) -> None:
        self.incoming, self.outgoing = bytearray(), bytearray()
        facts = {"name": "plain", "address": 0, "flags": 0, "scbk": None, "channel": self}
        identity = {"version": 1, "model": 1, "vendor_code": 1, "serial_number": 1, "firmware_version": 1}
        self.device = osdp_sys.PeripheralDevice(facts | identity, capabilities=[])
        self.device.set_command_callback(lambda _command: (0, None))

    def read(self, size: int) -> bytes:
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def write(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def flush(self) -> None:
        self.incoming.clear()


def test_a_reader_that_speaks_in_clear_is_known_but_never_heard() -> None:
    link, reader = SecureLink(0, bytes(range(16))), PlainReader()
    reader.device.submit_event({"event": Event.ManufacturerReply, "vendor_code": 1, "data": b"card"})
    heard = []
    until_s = time.monotonic() + 0.5
    while time.monotonic() < until_s:
        heard += link.refresh(time.monotonic())
        reader.incoming += link.outgoing()
        reader.device.refresh()
        link.receive(bytes(reader.outgoing))
        reader.outgoing.clear()
        time.sleep(0.01)
    assert link.identified
    assert not link.secure
    assert heard == []
