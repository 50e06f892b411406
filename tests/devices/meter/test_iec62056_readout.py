from __future__ import annotations

from decimal import Decimal
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.iec62056_readout import (
    READOUT_BYTES_MAX,
    DataSet,
    Identification,
    IdentificationFinder,
    ReadoutFinder,
    acknowledgement,
    meter_in,
)

if TYPE_CHECKING:
    from devices.meter.registers import Meter

IDENTIFICATION = Identification("LGZ", "5", "\\2ZMD1204007")


def frame(*lines: str) -> bytes:
    body = "".join(f"{line}\r\n" for line in (*lines, "!")).encode("latin-1") + b"\x03"
    return b"\x02" + body + bytes((reduce(xor, body),))


GOOD = frame("0.0.0(12345678)", "0.9.1(134500)", "0.9.2(261122)", "1-0:1.8.0*255(0001234.567*kWh)")


def readouts(data: bytes, sizes: list[int] | None = None) -> tuple[list[tuple[DataSet, ...]], WireCounters]:
    counters = WireCounters()
    finder = ReadoutFinder(counters)
    return [one for piece in pieces(data, sizes or [50]) for one in finder.feed(piece)], counters


def meter(*lines: str) -> tuple[Meter, WireCounters]:
    (readout,), counters = readouts(frame(*lines))
    return meter_in(IDENTIFICATION, readout, counters), counters


def values(*lines: str) -> dict[str, str]:
    return {one.obis: f"{one.value} {one.unit}" for one in meter(*lines)[0].registers}


@pytest.mark.parametrize("size", [1, 2, 7, 64, 500])
def test_a_readout_reads_the_same_in_pieces_of_any_size(size: int) -> None:
    found, counters = readouts(GOOD * 3, [size])
    assert found == readouts(GOOD)[0] * 3
    assert counters == WireCounters()


def test_a_meter_has_its_number_its_clock_as_text_and_exact_values() -> None:
    (readout,), counters = readouts(GOOD)
    found = meter_in(IDENTIFICATION, readout, counters)
    assert (found.id, found.time) == ("12345678", "261122 134500")
    assert [(one.obis, one.value, one.unit) for one in found.registers] == [("1-0:1.8.0", Decimal("1234.567"), "kWh")]


def test_codes_stay_as_the_meter_writes_them_and_stored_values_are_left_out() -> None:
    assert values(
        "1.8.0(000012.30*kWh)",
        "1.8.0*01(000011.00*kWh)",
        "1.8.0&02(000010.00*kWh)",
        "1-1:2.8.1*255(5*kWh)",
        "1.6.0(00.512*kW)(2611221745)",
        "F.F(00000000)",
        "C.7.0(0003)",
    ) == {"1.8.0": "12.30 kWh", "1-1:2.8.1": "5 kWh", "1.6.0": "0.512 kW"}


def test_several_data_sets_may_stand_on_one_line_and_a_comma_for_the_point() -> None:
    assert values("1.8.1(0001,5*kWh)1.8.2(0002*kWh)") == {"1.8.1": "1.5 kWh", "1.8.2": "2 kWh"}


def test_a_value_that_the_meter_does_not_know_itself_is_counted_and_left_out() -> None:
    found, counters = meter("1.8.0(0012?4.5*kWh)", "2.8.0(1*kWh)")
    assert [one.obis for one in found.registers] == ["2.8.0"]
    assert counters.errors == 1


def test_more_digits_than_can_be_signed_are_counted_and_left_out() -> None:
    found, counters = meter(f"1.8.0({'9' * 30}*kWh)", "2.8.0(1*kWh)")
    assert [one.obis for one in found.registers] == ["2.8.0"]
    assert counters.errors == 1


@pytest.mark.parametrize(
    ("lines", "meter_id"),
    [
        (["C.1.0(A-1)", "0.0.0(B-2)"], "B-2"),
        (["C.1.0(A-1)"], "A-1"),
        (["0-0:96.1.0*255(C3)"], "C3"),
        (["C.1(D4)"], "D4"),
        (["0.0.0(with space)"], "LGZ\\2ZMD1204007"),
        ([], "LGZ\\2ZMD1204007"),
    ],
)
def test_a_meters_number_is_where_its_maker_puts_it_or_else_its_identification(lines: list[str], meter_id: str) -> None:
    assert meter(*lines, "1.8.0(1*kWh)")[0].id == meter_id


def test_a_meter_without_clock_has_no_time() -> None:
    assert meter("1.8.0(1*kWh)")[0].time is None
    assert meter("1.8.0(1*kWh)", f"0.9.1({'1' * 90})")[0].time is None


def test_a_line_that_is_none_is_counted_and_the_rest_is_read() -> None:
    found, counters = meter("hello", "1.8.0(1*kWh", "2.8.0(1*kWh)")
    assert [one.obis for one in found.registers] == ["2.8.0"]
    assert counters.errors == 2


@given(st.integers(0, 8 * len(GOOD) - 1))
@example(GOOD.index(b"!") * 8 + 1)
def test_a_flipped_bit_never_gives_a_readout(bit: int) -> None:
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 1 << bit % 8
    found, _ = readouts(bytes(damaged) + GOOD)
    assert all(one == readouts(GOOD)[0][0] for one in found)
    assert len(found) <= 1


@example(b"\x02")
@example(b"\x02" * 300)
@example(b"!\r\n")
@example(b"!\r\n\x03")
@given(st.binary(max_size=600))
def test_after_any_garbage_the_first_or_second_good_readout_is_read(garbage: bytes) -> None:
    assert len(readouts(garbage + GOOD + GOOD, [64])[0]) >= 1


@pytest.mark.parametrize("noise", [b"x", b"\x02", b"!\r\n\x03x", b"\x02(", b"\x03"])
def test_noise_without_end_takes_bounded_memory(noise: bytes) -> None:
    finder = ReadoutFinder(WireCounters())
    for _ in range(20):
        finder.feed((noise * 4096)[:4096])
        assert len(finder._buffer) <= READOUT_BYTES_MAX
    finder.feed(GOOD)
    assert len(finder.feed(GOOD)) == 1


@given(st.binary(max_size=300), st.lists(st.integers(1, 300), min_size=1, max_size=4))
@example(b"/?!\r\n", [1])
@example(b"/LGZ5", [3])
def test_the_identification_is_found_behind_the_reflected_sign_on_and_noise(noise: bytes, sizes: list[int]) -> None:
    finder = IdentificationFinder()
    wire = noise + b"\r\n/LGZ5\\2ZMD1204007\r\n"
    found = [one for piece in pieces(wire, sizes) if (one := finder.feed(piece)) is not None]
    assert found
    assert len(finder._buffer) <= 512
    if b"/" not in noise:
        assert found[-1] == IDENTIFICATION


def test_a_speed_character_tells_the_mode_and_the_speed() -> None:
    assert Identification("LGZ", "5", "").acknowledged_baudrate() == 9600
    assert Identification("LGZ", "E", "").own_baudrate() == 9600
    assert Identification("LGZ", "E", "").acknowledged_baudrate() is None
    assert Identification("LGZ", "@", "").own_baudrate() is None
    assert acknowledgement(9600) == b"\x06050\r\n"
    assert acknowledgement(300) == b"\x06000\r\n"
