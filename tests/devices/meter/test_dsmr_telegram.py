from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.crc16 import crc16_arc
from devices.meter.dsmr_telegram import TELEGRAM_BYTES_MAX, Telegram, TelegramParser
from devices.sim.meter.dsmr_frame import DsmrFrames

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = DsmrFrames(seed=7).frame(NOW)[0]
CORPUS = {"FLUVIUS_V171": 36, "V4_2": 33, "V5": 37, "V5_TWO_MBUS": 38}


def parse(data: bytes, sizes: list[int] | None = None, *, crc_required: bool = True) -> list[Telegram]:
    parser = TelegramParser(WireCounters(), crc_required=crc_required)
    return [telegram for piece in pieces(data, sizes or [len(data) or 1]) for telegram in parser.feed(piece)]


def with_crc(text: str) -> bytes:
    body = text.replace("\n", "\r\n").encode("latin-1") + b"!"
    return body + b"%04X\r\n" % crc16_arc(body)


@pytest.mark.parametrize(("name", "line_count"), CORPUS.items())
def test_a_real_telegram_gives_each_of_its_lines_as_written(corpora: Path, name: str, line_count: int) -> None:
    raw = (corpora / f"meters/dsmr/TELEGRAM_{name}.txt").read_bytes()
    (telegram,) = parse(raw)
    assert telegram.checked
    assert len(telegram.lines) == line_count
    written = [line.obis + "".join(f"({value.text})" for value in line.values) for line in telegram.lines]
    assert written == raw.decode().split("\r\n")[2:-2]
    assert raw.startswith(f"/{telegram.identification}\r\n".encode())


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_a_real_telegram_reads_the_same_in_pieces_of_any_size(corpora: Path, name: str, size: int) -> None:
    raw = (corpora / f"meters/dsmr/TELEGRAM_{name}.txt").read_bytes()
    assert parse(raw * 3, [size]) == parse(raw) * 3


def test_a_quantity_keeps_its_exact_digits_and_unit() -> None:
    (telegram,) = parse(with_crc("/ABC5x\n\n1-0:1.8.1(000004.420*kWh)\n0-1:24.2.1(700101W)(-0.5*m3)\n"))
    assert [value.number for line in telegram.lines for value in line.values] == [
        Decimal("4.420"),
        None,
        Decimal("-0.5"),
    ]
    assert str(telegram.lines[0].values[0].number) == "4.420"
    assert [line.values[-1].unit for line in telegram.lines] == ["kWh", "m3"]


def test_an_eight_bit_byte_in_a_text_harms_nothing_else() -> None:
    (telegram,) = parse(with_crc("/ABC5x\n\n0-0:96.13.0(caf\xe9)\n1-0:1.8.1(1.0*kWh)\n"))
    assert telegram.lines[0].values[0].text == "caf\xe9"
    assert telegram.lines[1].values[0].number == Decimal("1.0")


def test_a_telegram_with_bare_line_feeds_is_read_if_its_crc_is_over_them() -> None:
    body = b"/ABC5x\n\n1-0:1.8.1(1.0*kWh)\n!"
    (telegram,) = parse(body + b"%04x\n" % crc16_arc(body))
    assert telegram.lines[0].obis == "1-0:1.8.1"


def test_a_line_that_is_none_is_counted_and_the_rest_is_read() -> None:
    counters = WireCounters()
    (telegram,) = TelegramParser(counters).feed(with_crc("/ABC5x\n\nhello\n1-0:1.8.1(1.0*kWh)\n"))
    assert [line.obis for line in telegram.lines] == ["1-0:1.8.1"]
    assert counters.errors == 1
    assert "hello" in counters.last_error


def test_a_telegram_without_crc_is_refused_unless_the_settings_accept_it() -> None:
    old = b"/KMP5 KA6U001660297912\r\n\r\n1-0:1.8.1(00001.001*kWh)\r\n!\r\n"
    counters = WireCounters()
    assert TelegramParser(counters).feed(old) == []
    assert counters.errors == 1
    assert "crc_required" in counters.last_error
    (telegram,) = parse(old, crc_required=False)
    assert not telegram.checked


def test_a_wrong_crc_is_refused_also_where_none_is_required() -> None:
    assert parse(GOOD.replace(b"kWh", b"MWh", 1), crc_required=False) == []


@given(st.integers(0, 8 * len(GOOD) - 1))
def test_a_flipped_bit_never_gives_a_telegram_with_other_values(bit: int) -> None:
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 1 << bit % 8
    telegrams = parse(bytes(damaged) + GOOD)
    good = parse(GOOD)[0]
    assert telegrams[-1] == good
    assert all(telegram == good for telegram in telegrams)


@pytest.mark.parametrize("cut", range(0, len(GOOD), 13))
def test_a_good_telegram_right_after_one_cut_off_anywhere_is_read(cut: int) -> None:
    assert parse(GOOD[:cut] + GOOD, [50])[-1] == parse(GOOD)[0]


@example(b"/" * 300)
@example(b"/ABC5" * 60)
@example(b"\n!")
@example(b"\n!12")
@example(b"x" * 20000 + b"/")
@given(st.binary(max_size=600))
def test_after_any_garbage_the_first_or_second_good_telegram_is_read(garbage: bytes) -> None:
    assert len(parse(garbage + GOOD + GOOD, [64])) >= 1


@given(st.lists(st.sampled_from([GOOD, GOOD[:300], b"/", b"\n!", b"noise", b"\n!0000\r\n"]), max_size=12), st.data())
def test_the_result_does_not_depend_on_how_the_bytes_arrive(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    sizes = data.draw(st.lists(st.integers(1, 700), min_size=1, max_size=6))
    assert parse(stream, sizes) == parse(stream)


@pytest.mark.parametrize("noise", [b"x", b"/", b"/ABC5", b"\n!", b"/ABC5\n!0000\r\n"])
def test_noise_without_end_takes_bounded_memory_and_little_time(noise: bytes) -> None:
    counters = WireCounters()
    parser = TelegramParser(counters)
    started = time.process_time()
    for _ in range(50):
        parser.feed((noise * 4096)[:4096])
        assert len(parser._buffer) <= TELEGRAM_BYTES_MAX + 4096
    assert time.process_time() - started < 5
    parser.feed(GOOD)
    assert len(parser.feed(GOOD)) == 1
    assert counters.bytes_dropped > 150_000


def test_bytes_before_the_first_telegram_are_counted_as_one_resynchronisation() -> None:
    counters = WireCounters()
    parser = TelegramParser(counters)
    telegrams = [telegram for piece in pieces(GOOD[200:] + GOOD * 2, [1]) for telegram in parser.feed(piece)]
    assert len(telegrams) == 2
    assert (counters.resyncs, counters.bytes_dropped, counters.errors) == (1, len(GOOD) - 200, 0)


def test_a_telegram_costs_a_few_milliseconds_at_most() -> None:
    started = time.process_time()
    assert len(parse(GOOD * 100, [64])) == 100
    assert (time.process_time() - started) / 100 < 0.003
