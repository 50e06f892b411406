from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.mbus_address import MeterAddress, parse_address
from devices.meter.mbus_link import Acknowledgement, FrameFinder, Response, initialize, request_data, select

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME = bytes.fromhex("681b1b68080172072018 00e61e35074c0000000c78072018000c16690200009616".replace(" ", ""))


def answers(data: bytes, sizes: Sequence[int] = (1,)) -> tuple[list[Acknowledgement | Response], WireCounters]:
    counters = WireCounters()
    finder = FrameFinder(counters)
    return [answer for piece in pieces(data, list(sizes)) for answer in finder.feed(piece)], counters


def test_requests_are_as_the_standard_prints_them() -> None:
    assert initialize(1) == bytes.fromhex("1040014116")
    assert request_data(1, frame_count=True) == bytes.fromhex("107b017c16")
    assert request_data(1, frame_count=False) == bytes.fromhex("105b015c16")
    assert select(parse_address("12345678").selection or b"") == bytes.fromhex(
        "680b0b6853fd5278563412ffffffff" + f"{(0x53 + 0xFD + 0x52 + 0x78 + 0x56 + 0x34 + 0x12 + 4 * 0xFF) & 0xFF:02x}16"
    )


@given(st.lists(st.integers(1, 64), min_size=1, max_size=8))
def test_an_answer_is_found_in_pieces_of_any_size(sizes: list[int]) -> None:
    found, counters = answers(b"\xe5" + FRAME, sizes)
    assert found == [Acknowledgement(), Response(1, 0x72, FRAME[7:-2])]
    assert counters == WireCounters()


def test_the_echo_of_a_request_is_no_answer() -> None:
    echo = request_data(1, frame_count=True) + select(bytes(8))
    found, counters = answers(echo + FRAME)
    assert [type(answer) for answer in found] == [Response]
    assert counters == WireCounters()


def test_a_damaged_frame_is_counted_and_the_next_one_found() -> None:
    damaged = bytearray(FRAME)
    damaged[12] ^= 4
    found, counters = answers(bytes(damaged) + FRAME)
    assert Response(1, 0x72, FRAME[7:-2]) in found
    assert counters.errors >= 1
    assert counters.last_error


@given(st.binary(max_size=400))
def test_after_any_garbage_the_first_or_second_frame_is_found(garbage: bytes) -> None:
    counters = WireCounters()
    finder = FrameFinder(counters)
    found = finder.feed(garbage + FRAME)
    found += finder.flush()  # the line fell silent
    assert Response(1, 0x72, FRAME[7:-2]) in found


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_the_finder_is_total_and_holds_less_than_one_frame(data: list[bytes]) -> None:
    finder = FrameFinder(WireCounters())
    for piece in data:
        finder.feed(piece)
        assert len(finder._buffer) <= 261


@pytest.mark.parametrize(
    ("raw", "text", "link", "selection"),
    [
        (5, "primary address 5", 5, None),
        (254, "primary address 254", 254, None),
        ("11490378", "secondary address 11490378-*-*-*", 253, "78034911ffffffff"),
        ("11490378-ACW-0e-16", "secondary address 11490378-ACW-0e-16", 253, "7803491177040e16"),
        ("ffff0378-*-0E-*", "secondary address FFFF0378-*-0e-*", 253, "7803ffffffff0eff"),
    ],
)
def test_an_address_is_primary_or_secondary(raw: Any, text: str, link: int, selection: str | None) -> None:
    expected = MeterAddress(text, link, None if selection is None else bytes.fromhex(selection))
    assert parse_address(raw) == expected


@pytest.mark.parametrize("raw", [251, 255, -1, True, 5.0, "", "5", "1149037", "11490378-acw", "11490378-ACW-0e-16-1"])
def test_what_is_no_address_is_refused_with_examples(raw: Any) -> None:
    with pytest.raises(ValueError, match="11490378-ACW-0e-16"):
        parse_address(raw)


def test_a_wildcard_address_matches_the_meters_that_it_selects() -> None:
    told = bytes.fromhex("7803491177040e16")
    assert parse_address("11490378-ACW-0e-16").matches(told)
    assert parse_address("F1490F78").matches(told)
    assert parse_address(7).matches(told)
    assert not parse_address("11490379").matches(told)
    assert not parse_address("11490378-ELV").matches(told)
    assert not parse_address("11490378-*-0f").matches(told)
    assert not parse_address("11490378-*-*-07").matches(told)
    assert not parse_address("11490378").matches(b"")
