from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.dlms_hdlc import DATA_BYTES_MAX, HdlcReader
from devices.sim.meter.han_frame import checksum, hdlc

ADDRESSES = b"\x2b\x21"
# A real frame of a Kamstrup meter's list 1, as the README of several readers quotes it, the meter's number replaced.
INFORMATION = bytes.fromhex("e6e7000f000000000c07e6011801123a32ff800000020106000000007e7e")


def frame(information: bytes = INFORMATION, addresses: bytes = ADDRESSES, *, more: bool = False) -> bytes:
    if not more:
        return hdlc(information, addresses, 0x13)
    size = 2 + len(addresses) + 1 + 2 + len(information) + 2
    head = (0xA800 | size).to_bytes(2, "big") + addresses + b"\x13"
    body = head + checksum(head) + information
    return b"\x7e" + body + checksum(body) + b"\x7e"


def read(data: bytes, sizes: tuple[int, ...] = (1,)) -> tuple[list[bytes], WireCounters]:
    counters = WireCounters()
    reader = HdlcReader(counters)
    return [message for piece in pieces(data, list(sizes)) for message in reader.feed(piece)], counters


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=8),
    st.sampled_from([b"\x2b\x21", b"\x41\x08\x83", b"\x01\x02\x01"]),
)
def test_frames_are_found_in_pieces_of_any_size(sizes: list[int], addresses: bytes) -> None:
    found, counters = read(frame(addresses=addresses) * 3, tuple(sizes))
    assert found == [INFORMATION] * 3
    assert counters == WireCounters()


def test_one_flag_may_end_a_frame_and_begin_the_next() -> None:
    found, counters = read(frame()[:-1] + frame()[:-1] + frame())
    assert found == [INFORMATION] * 3
    assert counters == WireCounters()


def test_a_damaged_frame_is_counted_once_and_the_next_one_found() -> None:
    damaged = bytearray(frame())
    damaged[20] ^= 1
    found, counters = read(bytes(damaged) + frame() * 2)
    assert found == [INFORMATION] * 2
    assert (counters.errors, counters.resyncs) == (1, 1)
    assert "check sequence" in counters.last_error


def test_the_frame_behind_one_that_was_cut_off_is_found_at_once() -> None:
    long = frame(bytes(600))
    found, counters = read(long[:40] + frame())
    assert found == [INFORMATION]
    assert counters.bytes_dropped == 39  # its flag is not counted


def test_segments_are_joined() -> None:
    found, counters = read(frame(b"abc", more=True) + frame(b"def", more=True) + frame(b"g") + frame())
    assert found == [b"abcdefg", INFORMATION]
    assert counters == WireCounters()


def test_what_was_joined_before_a_loss_is_not_joined_with_what_comes_after() -> None:
    damaged = bytearray(frame(b"def", more=True))
    damaged[-4] ^= 1
    assert read(frame(b"abc", more=True) + bytes(damaged) + frame(b"g"))[0] == [b"g"]


def test_endless_segments_are_bounded() -> None:
    counters = WireCounters()
    reader = HdlcReader(counters)
    for _ in range(20):
        assert reader.feed(frame(bytes(1000), more=True)) == []
        assert len(reader._segments) <= DATA_BYTES_MAX
    assert "segments of more than 8192 bytes" in counters.last_error


@given(st.binary(max_size=600))
def test_after_any_garbage_the_first_or_second_frame_is_read(garbage: bytes) -> None:
    assert INFORMATION in read(garbage + frame() + frame(), (4096,))[0]


def test_noise_with_flags_loses_no_frame() -> None:
    noise = random.Random(5)
    data = b"".join(noise.randbytes(300) + b"\x7e\xa0" + noise.randbytes(20) + frame() for _ in range(50))
    for sizes in ((1,), (5,), (64,)):
        assert read(data, sizes)[0] == [INFORMATION] * 50


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_the_reader_is_total_and_bounded(data: list[bytes]) -> None:
    reader = HdlcReader(WireCounters())
    for piece in data:
        reader.feed(piece)
        assert len(reader._buffer) <= 3072


def test_a_stream_of_starts_that_never_end_is_bounded() -> None:
    start = frame(bytes(2000))[:12]
    reader = HdlcReader(WireCounters())
    for _ in range(2000):
        reader.feed(start)
        assert len(reader._buffer) <= 3072
