from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.crc16 import crc16_kermit
from devices.meter.sml_transport import FRAME_BYTES_MAX, SmlTransport
from devices.sim.meter.sml_frame import SmlFrames, transport

ESCAPE = b"\x1b" * 4
START = ESCAPE + b"\x01" * 4
GOOD = SmlFrames(seed=0x1B1B1B1B).frame(datetime(2026, 11, 22, tzinfo=UTC))[0]


def files_in(data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    sml = SmlTransport(WireCounters())
    return [file for piece in pieces(data, sizes or [len(data) or 1]) for file in sml.feed(piece)]


@given(st.binary(max_size=200).map(lambda body: body + b"\x00"))
@example(ESCAPE * 3 + b"\x00")
@example(b"a" + ESCAPE + b"\x1b\x00")
@example(b"abc" + ESCAPE + b"\x1a\x00\x00\x00\x00")
def test_any_file_comes_back_as_it_was_sent(file: bytes) -> None:
    assert files_in(transport(file), [1]) == [file]


@given(
    st.lists(st.sampled_from([GOOD, GOOD[:99], START, ESCAPE, b"\x1b", b"noise", GOOD[-8:]]), max_size=12), st.data()
)
def test_the_result_does_not_depend_on_how_the_bytes_arrive(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    sizes = data.draw(st.lists(st.integers(1, 500), min_size=1, max_size=6))
    assert files_in(stream, sizes) == files_in(stream)


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_a_good_frame_right_after_one_cut_off_anywhere_is_read(cut: int) -> None:
    assert files_in(GOOD[:cut] + GOOD, [64])[-1:] == files_in(GOOD)


@given(st.integers(0, 8 * len(GOOD) - 1))
def test_a_flipped_bit_never_gives_another_file_and_costs_one_frame(bit: int) -> None:
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 1 << bit % 8
    assert files_in(bytes(damaged) + GOOD, [50]) == files_in(GOOD)


@example(START * 20)
@example(ESCAPE * 41)
@example(b"\x1b" * 7)
@example(START + ESCAPE + b"\x1a\x00")
@given(st.binary(max_size=400))
def test_after_any_garbage_the_first_or_second_good_frame_is_read(garbage: bytes) -> None:
    assert files_in(GOOD)[0] in files_in(garbage + GOOD + GOOD, [64])


def test_four_escape_bytes_that_a_meter_forgot_to_double_are_data_if_the_crc_says_so() -> None:
    file = b"ab" + ESCAPE + b"cd\x00\x00\x00\x00"
    doubled = transport(b"ab" + b"\x55" * 4 + b"cd\x00\x00\x00\x00")
    frame = doubled[:-2].replace(b"\x55" * 4, ESCAPE)
    assert files_in(frame + crc16_kermit(frame).to_bytes(2, "big")) == [file]


@pytest.mark.parametrize("noise", [b"x", b"\x1b", START, START + b"x", ESCAPE * 2 + b"\x01" * 4, GOOD[:-1]])
def test_noise_without_end_takes_bounded_memory_and_little_time(noise: bytes) -> None:
    counters = WireCounters()
    sml = SmlTransport(counters)
    started = time.process_time()
    for _ in range(30):
        sml.feed((noise * 4096)[:4096])
        assert len(sml._buffer) <= FRAME_BYTES_MAX + 4096
    assert time.process_time() - started < 5
    sml.feed(GOOD)
    assert sml.feed(GOOD) == files_in(GOOD)


def test_what_was_lost_is_counted() -> None:
    counters = WireCounters()
    sml = SmlTransport(counters)
    damaged = GOOD[:60] + b"\x00" + GOOD[61:]
    assert len(sml.feed(GOOD[9:] + GOOD + damaged + GOOD)) == 2
    assert counters.errors == 1
    assert counters.resyncs == 2
    assert counters.bytes_dropped == len(GOOD) - 9 + len(GOOD)
