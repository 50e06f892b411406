"""libosdp serves the driver and the simulated reader, so their wire is checked by a third reading of the standard."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from devices.driver import Recorded
from tests.devices.fare.bridge import bridged
from tests.devices.fare.osdp_session import (
    CHALLENGE,
    CLIENT_CRYPTOGRAM,
    INITIAL_R_MAC,
    SERVER_CRYPTOGRAM,
    Frame,
    Session,
    crc16,
    frames,
)
from tests.devices.fare.readers import listening, osdp_driver, osdp_reader, running
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

RAW, LED, BUZZER = 0x50, 0x69, 0x6A


def test_the_published_vectors_of_the_secure_channel_hold_for_the_check_itself() -> None:
    """SIA OSDP, annex E, as quoted in libosdp's tests/unit-tests/test-sc-sia-vectors.c."""
    session = Session(bytes(range(0x30, 0x40)), bytes(range(0xB0, 0xB8)), bytes(range(0xA0, 0xA8)))
    assert session.mac_1.hex() == "5e86c676603bdee2d8beafe178637332"
    assert session.mac_2.hex() == "6fda86e857777e81132035758239172e"
    assert session.encryption.hex() == "bf8dc2a8329acb8c67c6d0cd9a451682"
    assert session.server_cryptogram.hex() == "26d3356e07762d262801fc8e6665a891"
    assert session.client_cryptogram.hex() == "fde5d2f428ec16312471ea3c02bd7796"
    assert session.initial_r_mac.hex() == "b2a30057eb98ba2229ec1f875662b524"


@pytest.mark.parametrize(("frame", "crc"), [("537f0d00046e0080250000", 0x386E), ("53000900046100", 0x66C0)])
def test_the_published_vectors_of_the_crc_hold_for_the_check_itself(frame: str, crc: int) -> None:
    assert crc16(bytes.fromhex(frame)) == crc


def in_turn(commands: list[Frame], replies: list[Frame]) -> list[Frame]:
    return [frame for pair in zip(commands, replies, strict=False) for frame in pair]


async def test_what_goes_over_the_wire_is_a_secure_channel_with_the_readers_key(tmp_path: Path) -> None:
    reader = osdp_reader(tmp_path, address=5)
    async with running(reader), bridged(reader.settings()["port"], tmp_path / "bridge") as bridge:
        driver = osdp_driver(reader, port=bridge.port)
        await driver.open()
        async with listening(driver) as taps:
            reader.present()
            await until(lambda: taps)
            await driver.answer(taps[0], Recorded())
            answered = len(bridge.to_reader)
            await until(lambda: len(bridge.to_reader) > answered + 200, "light, tone and some polls went out")
        await driver.close()

    commands, replies = list(frames(bytes(bridge.to_reader))), list(frames(bytes(bridge.from_reader)))
    assert all(frame.raw[1] == 0x05 for frame in commands)
    assert all(frame.raw[1] == 0x85 for frame in replies)
    exchange = in_turn(commands, replies)
    challenge = next(frame for frame in commands if frame.code == CHALLENGE)
    cryptogram = next(frame for frame in replies if frame.code == CLIENT_CRYPTOGRAM)
    key = bytes.fromhex((tmp_path / "gate-1.scbk").read_text())
    session = Session(key, challenge.data, cryptogram.data[8:16])
    assert cryptogram.data[16:] == session.client_cryptogram
    assert next(frame for frame in commands if frame.code == SERVER_CRYPTOGRAM).data == session.server_cryptogram
    begun = next(index for index, frame in enumerate(exchange) if frame.is_reply and frame.code == INITIAL_R_MAC)
    assert exchange[begun].data == session.initial_r_mac
    session.reply_mac = session.initial_r_mac

    heard = [(frame.code, session.follow(frame)) for frame in exchange[begun + 1 :]]
    assert [data[4:] for code, data in heard if code == RAW] == reader.cards
    assert {LED, BUZZER} <= {code for code, _ in heard}
    assert all(frame.block is not None and frame.block >= 0x15 for frame in exchange[begun + 1 :])
    assert reader.cards[0] not in bridge.from_reader
