from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.meter.crc16 import crc16_kermit
from devices.meter.sml_file import SmlLine, SmlList, parse_file
from devices.meter.sml_transport import SmlTransport
from devices.sim.meter.sml_frame import SmlFrames, checksum, octets, sequence, signed, unsigned

if TYPE_CHECKING:
    from pathlib import Path

DUMPS = [
    "DZG_DVS-7420.2V.G2_mtr0",
    "DZG_DVS-7420.2V.G2_mtr1",
    "DZG_DVS-7420.2V.G2_mtr2",
    "DZG_DVS-7420.2V.G2_mtr2_neg",
    "EMH-ED300L_consumption",
    "EMH-ED300L_delivery",
    "EMH_eHZ-GW8E2A500AK2",
    "EMH_eHZ-HW8E2A5L0EK2P",
    "EMH_eHZ-HW8E2A5L0EK2P_1",
    "EMH_eHZ-HW8E2A5L0EK2P_2",
    "EMH_eHZ-HW8E2AWL0EK2P",
    "EMH_eHZ-IW8E2AWL0EK2P",
    "EMH_eHZ361L5R",
    "EMH_eHZ361L5R_1",
    "EMH_mME40-AE6AKF0K0",
    "ISKRA_MT175_D1A52-V22-K0t",
    "ISKRA_MT175_eHZ",
]
ABSENT = b"\x01"
POWER = octets(bytes((1, 0, 16, 7, 0, 255)))
SERIAL = octets(bytes((1, 0, 96, 1, 0, 255)))


def message(content: bytes, tag: bytes = b"\x63\x07\x01") -> bytes:
    body = b"\x76" + octets(b"\x01") + b"\x62\x00\x62\x00" + sequence(tag, content)
    return body + b"\x63" + checksum(body) + b"\x00"


def response(*entries: bytes, server: bytes = b"\x0a\x01WSD", at: bytes = ABSENT) -> bytes:
    return sequence(ABSENT, octets(server), ABSENT, at, sequence(*entries), ABSENT, ABSENT)


def entry(name: bytes, value: bytes, unit: bytes = ABSENT, scaler: bytes = ABSENT) -> bytes:
    return sequence(name, ABSENT, ABSENT, unit, scaler, value, ABSENT)


def only_list(file: bytes) -> SmlList:
    counters = WireCounters()
    (found,) = parse_file(file, counters)
    assert counters.errors == 0
    return found


def lists_in(stream: bytes, sizes: list[int]) -> list[SmlList]:
    counters = WireCounters()
    sml = SmlTransport(counters)
    return [
        found for piece in pieces(stream, sizes) for file in sml.feed(piece) for found in parse_file(file, counters)
    ]


def as_libsml_prints(line: SmlLine) -> str:
    if isinstance(line.value, bool):
        return f"{line.obis}#{str(line.value).lower()}#"
    if isinstance(line.value, Decimal):
        return f"{line.obis}#{line.value:f}#{line.unit}"
    readable = next((index for index, byte in enumerate(line.value) if not 0x20 < byte < 0x7B), len(line.value))
    rest = "".join(f"{byte:02x} " for byte in line.value[readable:])
    return f"{line.obis}#{line.value[:readable].decode()}{rest}#"


@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.parametrize("size", [1, 4096])
def test_a_real_dump_gives_every_line_that_the_reference_prints(corpora: Path, name: str, size: int) -> None:
    folder = corpora / "meters/sml"
    expected = json.loads((folder / "EXPECTED.json").read_text())[f"{name}.bin"]
    lists = lists_in((folder / f"{name}.bin").read_bytes(), [size])
    assert [as_libsml_prints(line) for found in lists for line in found.lines] == expected


def test_no_real_dump_is_left_out(corpora: Path) -> None:
    assert sorted(DUMPS) == sorted(path.stem for path in (corpora / "meters/sml").glob("*.bin"))


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-18, 0))
def test_a_signed_integer_of_any_length_keeps_its_sign_and_digits(value: int, scaler: int) -> None:
    (line,) = only_list(message(response(entry(POWER, signed(value), unsigned(27), signed(scaler))))).lines
    assert line.value == Decimal(value).scaleb(scaler)
    assert (line.unit, line.scaler) == ("W", scaler)


@given(st.integers(0, (1 << 64) - 1))
def test_an_unsigned_integer_of_any_length_is_never_negative(value: int) -> None:
    (line,) = only_list(message(response(entry(POWER, unsigned(value))))).lines
    assert (line.value, line.unit) == (Decimal(value), "")


def test_a_scaler_above_zero_is_multiplied_out() -> None:
    (line,) = only_list(message(response(entry(POWER, unsigned(12), unsigned(30), signed(3))))).lines
    assert str(line.value) == "12000"


@pytest.mark.parametrize(
    ("serial", "value"),
    [
        (42_000_000, "356.24"),
        (48_999_999, "356.24"),
        (49_000_000, "-299.12"),
        (55_000_000, "356.24"),
        (58_999_999, "356.24"),
        (59_000_000, "-299.12"),
        (60_694_611, "-299.12"),
    ],
)
def test_the_power_of_a_dzg_dvs74_is_read_as_it_was_meant_and_only_theirs(serial: int, value: str) -> None:
    identity = octets(b"\x0a\x01DZG" + serial.to_bytes(5, "big"))
    power = entry(POWER, b"\x53\x8b\x28", unsigned(27), signed(-2))
    lines = only_list(message(response(entry(SERIAL, identity), power))).lines
    assert str(lines[1].value) == value


def test_a_negative_power_of_a_dzg_dvs74_has_four_bytes_and_stays_negative() -> None:
    server = b"\x0a\x01DZG" + (42_500_000).to_bytes(5, "big")
    power = entry(POWER, b"\x55\xff\xfe\x13\x93", unsigned(27), signed(-2))
    (line,) = only_list(message(response(power, server=server))).lines
    assert str(line.value) == "-1260.61"


@pytest.mark.parametrize(
    "at",
    [
        sequence(b"\x62\x01", b"\x65\x00\x00\x30\x39"),
        b"\x65\x00\x00\x30\x39",
        sequence(b"\x62\x03", sequence(b"\x65\x00\x00\x30\x39", b"\x53\x00\x3c", b"\x53\x00\x00")),
    ],
    ids=["seconds index", "number alone (Holley)", "local timestamp"],
)
def test_the_meters_clock_is_read_in_each_of_its_forms(at: bytes) -> None:
    assert only_list(message(response(at=at))).sensor_time == 12345


def test_a_meter_without_clock_has_none() -> None:
    assert only_list(message(response())).sensor_time is None


def test_texts_and_truth_values_are_read_and_entries_without_value_are_passed_over() -> None:
    (text, switch) = only_list(
        message(response(entry(SERIAL, octets(b"x" * 40)), entry(POWER, b"\x42\x01"), entry(POWER, ABSENT)))
    ).lines
    assert text.value == b"x" * 40
    assert switch.value is True


def test_a_list_of_more_than_fifteen_entries_is_read() -> None:
    entries = b"".join(entry(POWER, unsigned(index)) for index in range(20))
    content = sequence(ABSENT, octets(b"\x01"), ABSENT, ABSENT, b"\xf1\x04" + entries, ABSENT, ABSENT)
    assert [line.value for line in only_list(message(content)).lines] == list(range(20))


def test_a_message_with_a_kermit_checksum_is_read() -> None:
    body = message(response(entry(POWER, unsigned(5))))[:-4]
    file = body + b"\x63" + crc16_kermit(body).to_bytes(2, "big") + b"\x00"
    assert only_list(file).lines[0].value == 5


def test_a_message_with_a_wrong_checksum_is_counted_and_the_next_is_read() -> None:
    counters = WireCounters()
    good = message(response(entry(POWER, unsigned(5))))
    wrong = bytearray(good)
    wrong[2] ^= 1
    assert len(parse_file(bytes(wrong) + good, counters)) == 1
    assert counters.errors == 1


def test_an_entry_of_another_shape_is_counted_and_the_others_are_read() -> None:
    counters = WireCounters()
    file = message(response(sequence(POWER, ABSENT), entry(octets(b"short"), unsigned(1)), entry(POWER, unsigned(5))))
    (found,) = parse_file(file, counters)
    assert [line.value for line in found.lines] == [5]
    assert counters.errors == 2


@pytest.mark.parametrize(
    "file",
    [
        b"\x76",
        b"\x77\x01",
        b"\xff" * 50,
        b"\x76" * 60,
        b"\x76" + b"\xf1" * 30 + b"\x01",
        message(response())[:-9],
        message(b"\x01"),
        message(response(entry(POWER, unsigned(1), unsigned(27), b"\x59" + b"\x7f" * 8))),
        message(response(entry(POWER, b"\x6a" + b"\x01" * 9))),
    ],
)
def test_broken_coding_is_counted_and_gives_no_line(file: bytes) -> None:
    counters = WireCounters()
    assert parse_file(file, counters) == []
    assert counters.errors == 1
    assert counters.last_error


@given(st.binary(max_size=300))
def test_any_bytes_are_lists_or_counted_errors(file: bytes) -> None:
    counters = WireCounters()
    assert parse_file(b"\x76" + file, counters) == []
    assert counters.errors >= 1


def test_a_frame_costs_a_few_milliseconds_at_most() -> None:
    stream = SmlFrames(seed=1).frame(datetime(2026, 11, 22, tzinfo=UTC))[0] * 100
    started = time.process_time()
    assert len(lists_in(stream, [64])) == 100
    assert (time.process_time() - started) / 100 < 0.003
