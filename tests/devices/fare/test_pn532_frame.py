from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.fare.pn532_frame import FRAME_BYTES_MAX, FrameParser, Short, command_frame
from devices.sim.fare.pn532_chip import information

ACK = bytes.fromhex("0000ff00ff00")
# The answer to GetFirmwareVersion of UM0701-02, section 7.2.2: PN532, version 1.6, all card types.
FIRMWARE = bytes.fromhex("0000ff06fad50332010607e800")
ANSWER = FIRMWARE[6:-2]


def parse(data: bytes) -> tuple[list[bytes | Short], WireCounters]:
    counters = WireCounters()
    return FrameParser(counters).feed(data), counters


@pytest.mark.parametrize(
    ("command", "parameters", "frame"),
    [
        (0x02, "", "0000ff02fed4022a00"),
        (0x14, "01", "0000ff03fdd414011700"),
        (0x4A, "0100", "0000ff04fcd44a0100e100"),
    ],
)
def test_commands_are_framed_as_in_the_manual(command: int, parameters: str, frame: str) -> None:
    assert command_frame(command, bytes.fromhex(parameters)).hex() == frame


def test_acknowledgement_and_answer_are_read() -> None:
    frames, counters = parse(ACK + FIRMWARE)
    assert frames == [Short.ACK, ANSWER]
    assert counters == WireCounters()


def test_the_chips_no_and_its_syntax_error_are_told_apart_from_answers() -> None:
    assert parse(bytes.fromhex("0000ffff0000 0000ff01ff7f8100"))[0] == [Short.NACK, Short.ERROR]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_pieces_of_any_size_give_the_same_frames(sizes: list[int]) -> None:
    parser = FrameParser(WireCounters())
    stream = (ACK + FIRMWARE) * 3
    assert [frame for piece in pieces(stream, sizes) for frame in parser.feed(piece)] == [Short.ACK, ANSWER] * 3


@pytest.mark.parametrize("position", range(3, len(FIRMWARE) - 1))
def test_a_flipped_bit_is_counted_and_the_next_frame_is_read(position: int) -> None:
    damaged = bytearray(FIRMWARE)
    damaged[position] ^= 0x10
    frames, counters = parse(bytes(damaged) + bytes(FRAME_BYTES_MAX) + FIRMWARE)
    assert frames[-1] == ANSWER
    assert ANSWER not in frames[:-1]
    assert counters.resyncs


@pytest.mark.parametrize("cut", range(1, len(FIRMWARE)))
def test_after_a_frame_cut_off_the_first_or_second_good_one_is_read(cut: int) -> None:
    frames, _ = parse(FIRMWARE[:cut] + FIRMWARE + FIRMWARE)
    assert ANSWER in frames


def test_a_frame_that_will_not_end_is_dropped_in_silence_and_the_next_is_read() -> None:
    counters = WireCounters()
    parser = FrameParser(counters)
    begun = bytes.fromhex("00ffff01d54b")
    assert parser.feed(begun + FIRMWARE) == []
    parser.drop_unfinished()
    assert parser.feed(FIRMWARE)[-1] == ANSWER
    assert counters.resyncs == 1
    parser.drop_unfinished()
    assert counters.resyncs == 1


@given(st.lists(st.binary(max_size=400), max_size=6))
def test_any_bytes_leave_a_bounded_parser_that_reads_the_second_frame_at_the_latest(chunks: list[bytes]) -> None:
    counters = WireCounters()
    parser = FrameParser(counters)
    for chunk in chunks:
        parser.feed(chunk)
        assert len(parser._buffer) <= FRAME_BYTES_MAX
    after = parser.feed(bytes(FRAME_BYTES_MAX) + FIRMWARE + FIRMWARE)
    assert ANSWER in after


@given(st.binary(max_size=250))
def test_what_the_simulated_chip_sends_is_read_as_it_was(data: bytes) -> None:
    assert parse(information(b"\x03" + data))[0] == [b"\x03" + data]


def test_no_sentence_quotes_the_wire() -> None:
    _, counters = parse(bytes.fromhex("0000ff06fad5034711deadbe00"))
    assert counters.last_error
    assert not any(digit.isdigit() for digit in counters.last_error)
