from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.modbus_frame import RegisterRead, rtu_request, with_crc
from devices.meter.modbus_sniffer import OverheardRead, ReadSniffer

POWER, ENERGY, EXPORT = RegisterRead(4, 0x34, 2), RegisterRead(4, 0x48, 2), RegisterRead(4, 0x4A, 2)
WRITE = with_crc(bytes.fromhex("0110000200 0204 42C80000"))
WRITE_ANSWER = with_crc(bytes.fromhex("011000020002"))


def answer(unit: int, read: RegisterRead, fill: int) -> bytes:
    return with_crc(bytes((unit, read.function, 2 * read.count)) + bytes((fill,)) * (2 * read.count))


def exchange(unit: int, read: RegisterRead, fill: int) -> bytes:
    return rtu_request(unit, read) + answer(unit, read, fill)


def heard(read: RegisterRead, fill: int) -> OverheardRead:
    return OverheardRead(read, bytes((fill,)) * (2 * read.count))


def overhear(data: bytes, sizes: list[int] | None = None) -> tuple[list[OverheardRead], WireCounters]:
    counters = WireCounters()
    sniffer = ReadSniffer(1, counters)
    found = [one for piece in pieces(data, sizes or [7]) for one in sniffer.feed(piece)]
    return found, counters


@pytest.mark.parametrize("size", [1, 3, 8, 300])
def test_reads_of_the_unit_are_paired_with_their_answers_and_others_left_out(size: int) -> None:
    stream = exchange(1, POWER, 0x11) + exchange(2, POWER, 0x22) + exchange(1, ENERGY, 0x33)
    found, counters = overhear(stream, [size])
    assert found == [heard(POWER, 0x11), heard(ENERGY, 0x33)]
    assert counters == WireCounters()


def test_writes_between_reads_are_passed_over() -> None:
    found, counters = overhear(exchange(1, POWER, 1) + WRITE + WRITE_ANSWER + exchange(1, ENERGY, 2))
    assert found == [heard(POWER, 1), heard(ENERGY, 2)]
    assert counters.resyncs == 1
    assert counters.bytes_dropped == len(WRITE + WRITE_ANSWER)


@pytest.mark.parametrize("stray", [b"\x00", b"\xff\x00", b"\x01", b"\x01\x04"])
def test_a_stray_byte_or_two_when_the_line_turns_round_do_no_harm(stray: bytes) -> None:
    found, _ = overhear(rtu_request(1, POWER) + stray + answer(1, POWER, 5), [1])
    assert found == [heard(POWER, 5)]


def test_a_request_repeated_after_silence_is_paired_once() -> None:
    found, counters = overhear(rtu_request(1, POWER) + exchange(1, POWER, 6))
    assert found == [heard(POWER, 6)]
    assert counters.errors == 1


def test_a_refusal_is_counted_and_gives_nothing() -> None:
    found, counters = overhear(rtu_request(1, POWER) + with_crc(bytes.fromhex("018402")) + exchange(1, ENERGY, 7))
    assert found == [heard(ENERGY, 7)]
    assert counters.errors == 1
    assert "refusal" in counters.last_error


def test_an_answer_is_never_given_to_a_request_before_its_own() -> None:
    # The answer to the first request and the second request are both damaged on the way to us.
    lost = bytearray(exchange(1, POWER, 1)[8:] + rtu_request(1, ENERGY))
    lost[4] ^= 1
    lost[-1] ^= 1
    found, counters = overhear(rtu_request(1, POWER) + bytes(lost) + answer(1, ENERGY, 2))
    assert found == []
    assert counters.errors == 1


EXCHANGES = [exchange(unit, read, fill) for unit in (1, 2) for fill, read in enumerate((POWER, ENERGY, EXPORT))]
TRUE = [heard(read, fill) for fill, read in enumerate((POWER, ENERGY, EXPORT))]


@given(
    st.lists(st.sampled_from(EXCHANGES), max_size=6),
    st.lists(st.tuples(st.integers(0, 150), st.sampled_from(["flip", "cut", "insert"]), st.binary(max_size=40))),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
)
@example(EXCHANGES, [(9, "cut", b"x" * 5)], [1])
def test_whatever_happens_to_the_line_no_register_is_given_the_value_of_another(
    exchanges: list[bytes], faults: list[tuple[int, str, bytes]], sizes: list[int]
) -> None:
    stream = bytearray(b"".join(exchanges))
    for at, kind, data in faults:
        if kind == "flip" and at < len(stream):
            stream[at] ^= 1 << len(data) % 8
        elif kind == "cut":
            del stream[at : at + len(data)]
        else:
            stream[at:at] = data
    found, _ = overhear(bytes(stream), sizes)
    assert all(one in TRUE for one in found)


@given(st.binary(max_size=700))
@example(rtu_request(1, RegisterRead(4, 0, 125)))
@example(rtu_request(1, RegisterRead(4, 0, 125)) + b"\x01\x04\xfa")
def test_after_any_garbage_the_first_or_second_exchange_is_read_once_enough_has_come(garbage: bytes) -> None:
    found, _ = overhear(garbage + exchange(1, POWER, 9) * 30, [64])
    assert found[0] == heard(POWER, 9)
    assert len(found) >= 28


def test_noise_without_end_takes_bounded_memory() -> None:
    sniffer = ReadSniffer(1, WireCounters())
    for noise in (b"\x01\x04", rtu_request(1, RegisterRead(4, 0, 125)), b"\x00", rtu_request(1, POWER)[:7]):
        for _ in range(10):
            sniffer.feed(noise * 600)
            assert len(sniffer._buffer) <= 1024
