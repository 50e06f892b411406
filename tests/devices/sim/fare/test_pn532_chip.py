from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.sim.fare.pn532_chip import Pn532Chip, information

ACK = bytes.fromhex("0000ff00ff00")
WAKE_UP = bytes.fromhex("5555000000")
# Frames as UM0701-02 has them.
FIRMWARE = bytes.fromhex("0000ff02fed4022a00")
SAM = bytes.fromhex("0000ff03fdd414011700")
FEW_RETRIES = bytes.fromhex("0000ff06fad43205ff0102f300")
LIST = bytes.fromhex("0000ff04fcd44a0100e100")
EMPTY = bytes.fromhex("0000ff03fdd54b00e000")


def awake() -> Pn532Chip:
    chip = Pn532Chip()
    assert chip.receive(WAKE_UP) == []
    return chip


def test_the_chip_sleeps_until_it_is_woken() -> None:
    assert Pn532Chip().receive(FIRMWARE) == []
    assert awake().receive(FIRMWARE) == [ACK, bytes.fromhex("0000ff06fad50332010607e800")]


def test_commands_are_acknowledged_and_answered_in_pieces_of_any_size() -> None:
    chip = awake()
    answers = [answer for byte in SAM + FEW_RETRIES for answer in chip.receive(bytes((byte,)))]
    assert answers == [ACK, bytes.fromhex("0000ff02fed5151600"), ACK, bytes.fromhex("0000ff02fed533f800")]


def test_an_empty_field_is_searched_for_ever_unless_retries_are_set() -> None:
    chip = awake()
    assert chip.receive(LIST) == [ACK]
    chip.receive(FEW_RETRIES)
    assert chip.receive(LIST) == [ACK, EMPTY]
    assert not chip.told


@pytest.mark.parametrize("uid", ["23271365", "04a1b2c3d4e580", "04a1b2c3d4e5f6a7b8c9"])
def test_a_card_in_the_field_is_told_with_its_uid(uid: str) -> None:
    chip = awake()
    chip.card = bytes.fromhex(uid)
    _, answer = chip.receive(LIST)
    assert answer[6:9] == b"\x4b\x01\x01"
    assert answer[12] == len(chip.card)
    assert answer[13:].startswith(chip.card)
    assert chip.told


def test_an_unknown_command_is_a_syntax_error_and_a_damaged_one_is_nothing() -> None:
    chip = awake()
    assert chip.receive(bytes.fromhex("0000ff02fed499 9300")) == [ACK, bytes.fromhex("0000ff01ff7f8100")]
    assert chip.receive(FIRMWARE[:-2] + b"\x2b\x00") == []
    assert chip.receive(FIRMWARE)[0] == ACK


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_leave_a_chip_that_answers(chunks: list[bytes]) -> None:
    chip = awake()
    for chunk in chunks:
        chip.receive(chunk)
    chip.receive(bytes(300))
    assert information(bytes.fromhex("0332010607")) in chip.receive(FIRMWARE)
