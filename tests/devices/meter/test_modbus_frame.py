from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.meter.crc16 import crc16_modbus
from devices.meter.modbus_frame import AnswerFinder, Refusal, RegisterRead, rtu_request, tcp_request, with_crc

READ = RegisterRead(4, 0x0006, 2)
ANSWER = with_crc(bytes.fromhex("010404 43663334"))
REFUSAL = with_crc(bytes.fromhex("018402"))


def test_the_crc_has_the_published_check_value() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


def test_the_makers_own_examples_are_reproduced() -> None:
    # Eastron SDM320Y User Manual V1.0: "Read hold register" and the answer 230.2 V to "Read input register".
    assert rtu_request(1, RegisterRead(3, 0x000C, 2)) == bytes.fromhex("0103000C00020408")
    assert bytes.fromhex("0104044366 33341B38") == ANSWER


def test_a_request_over_tcp_carries_its_transaction_and_no_crc() -> None:
    assert tcp_request(0x1234, 17, RegisterRead(3, 0x006B, 3)) == bytes.fromhex("1234 0000 0006 11 03 006B 0003")


def find(data: bytes, sizes: list[int], transaction: int | None = None) -> bytes | Refusal | None:
    finder = AnswerFinder(1, READ, transaction)
    for piece in pieces(data, sizes):
        found = finder.feed(piece)
        if found is not None:
            return found
    return None


@given(st.binary(max_size=300), st.lists(st.integers(1, 600), min_size=1, max_size=5))
@example(b"\x01\x04\x04", [1])
@example(ANSWER[:-1], [3])
@example(rtu_request(1, READ), [8])
def test_the_answer_is_found_behind_any_noise_in_pieces_of_any_size(noise: bytes, sizes: list[int]) -> None:
    assert find(noise + ANSWER, sizes) == ANSWER[3:7]
    assert find(noise + REFUSAL, sizes) == Refusal(2)


@given(st.integers(0, 8 * len(ANSWER) - 1))
def test_a_flipped_bit_gives_no_answer(bit: int) -> None:
    damaged = bytearray(ANSWER)
    damaged[bit // 8] ^= 1 << bit % 8
    assert find(bytes(damaged), [9]) is None


@pytest.mark.parametrize(
    "other",
    [
        with_crc(bytes.fromhex("020404 43663334")),
        with_crc(bytes.fromhex("010304 43663334")),
        with_crc(bytes.fromhex("010402 4366")),
        with_crc(bytes.fromhex("028402")),
    ],
    ids=["another unit's", "another function's", "another length", "another unit's refusal"],
)
def test_an_answer_to_something_else_is_none(other: bytes) -> None:
    assert find(other, [1]) is None
    assert find(other + ANSWER, [1]) == ANSWER[3:7]


@given(st.binary(max_size=300))
def test_over_tcp_the_transaction_tells_a_late_answer_from_the_right_one(noise: bytes) -> None:
    answer = bytes.fromhex("0000 0007 010404 43663334")
    assert find(noise + b"\x00\x08" + answer + b"\x00\x09" + answer, [5], transaction=9) == ANSWER[3:7]
    assert find(b"\x00\x08" + answer, [5], transaction=9) is None
    assert find(b"\x00\x09" + bytes.fromhex("0000 0003 01840B"), [1], transaction=9) == Refusal(11)


def test_noise_without_end_takes_bounded_memory() -> None:
    finder = AnswerFinder(1, RegisterRead(4, 0, 125))
    for _ in range(30):
        assert finder.feed(b"\x01\x04\xfa" * 1000) is None
        assert len(finder._buffer) <= 520
    assert finder.received == 90_000
    assert finder.damaged
    whole = with_crc(b"\x01\x04\xfa" + bytes(250))
    assert finder.feed(whole) == bytes(250)
    assert AnswerFinder(1, RegisterRead(4, 0, 125)).feed(whole + b"x" * 4000) == bytes(250)


def test_a_refusal_says_what_it_means() -> None:
    assert str(Refusal(2)) == "exception 2 (illegal data address)"
    assert str(Refusal(77)) == "exception 77 (unknown)"
