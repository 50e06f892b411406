from __future__ import annotations

import math
import struct
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import devices.meter
from devices.meter.modbus_frame import RegisterRead
from devices.meter.modbus_table import (
    MODELS,
    RegisterTable,
    TableRegister,
    load_model,
    load_table,
    plan_reads,
    shortest_decimal,
)
from devices.meter.registers import DEFAULT_PATTERNS, RegisterFilter
from ledger_sync.proof.settings import SettingsError

FOLDER = Path(devices.meter.__file__).parent / "modbus_tables"


def reads(model: str, patterns: tuple[str, ...] = DEFAULT_PATTERNS) -> list[tuple[int, int, int]]:
    table, chosen = load_model(model), RegisterFilter(patterns)
    wanted = [one for one in table.register if chosen.matches(one.obis)]
    return [(one.function, one.address, one.count) for one in plan_reads(wanted, table)]


def test_each_model_named_is_a_table_and_each_table_a_model_named() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(MODELS)
    assert all(load_model(model).source for model in MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_each_table_has_the_registers_recorded_by_default_and_names_none_twice(model: str) -> None:
    codes = [one.obis for one in load_model(model).register]
    assert {"1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"} <= set(codes)
    assert len(codes) == len(set(codes))


def test_a_reading_takes_as_few_requests_as_the_meter_allows() -> None:
    assert reads("sdm630") == [(4, 0x34, 24)]
    assert reads("sdm120") == [(4, 0x0C, 64)]
    assert reads("abb-b23") == [(3, 0x5000, 8), (3, 0x5B14, 2)]
    assert reads("em340") == [(4, 0x28, 2), (4, 0x34, 2), (4, 0x4E, 2)]
    assert reads("sdm630", ("x.x.x",)) == [(4, 0x00, 80)]


@given(
    st.lists(
        st.tuples(st.integers(3, 4), st.integers(0, 400), st.sampled_from(["uint16", "int32", "uint64"])), max_size=12
    ),
    st.integers(4, 125),
    st.integers(0, 60),
)
def test_each_register_is_whole_in_a_request_and_no_request_is_over_the_limit(
    wanted: list[tuple[int, int, str]], limit: int, gap: int
) -> None:
    registers = tuple(TableRegister("1-0:1.8.0", at, kind, "kWh", function) for function, at, kind in wanted)
    planned = plan_reads(registers, RegisterTable("-", registers, None, limit, gap))
    assert all(read.count <= limit for read in planned)
    for one in registers:
        assert any(read.part(bytes(2 * read.count), one.read) == bytes(2 * one.read.count) for read in planned)


def value(kind: str, data: str, scale: str = "1", order: str = "high first", absent: str = "") -> Decimal | None:
    register = TableRegister("1-0:1.8.0", 0, kind, "kWh", 3, Decimal(scale), order, bytes.fromhex(absent) or None)
    return register.value(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("kind", "data", "scale", "order", "expected"),
    [
        ("uint64", "0000000000003039", "0.01", "high first", "123.45"),
        ("uint64", "0000000000003034", "0.01", "high first", "123.40"),
        ("uint64", "ffffffffffffffff", "0.01", "high first", "184467440737095516.15"),
        ("int64", "ffffffffffffffff", "1", "high first", "-1"),
        ("int32", "ffffcfc7", "0.01", "high first", "-123.45"),
        ("int32", "cfc7ffff", "0.1", "low first", "-1234.5"),
        ("uint64", "3039000000000001", "1", "low first", str((1 << 48) + 0x3039)),
        ("uint16", "1388", "0.01", "high first", "50.00"),
        ("int16", "ffff", "1", "high first", "-1"),
        ("float32", "43663333", "1", "high first", "230.2"),
        ("float32", "33344366", "1", "low first", "230.20001"),
    ],
)
def test_a_number_keeps_its_exact_digits(kind: str, data: str, scale: str, order: str, expected: str) -> None:
    assert str(value(kind, data, scale, order)) == expected


def test_what_the_meter_does_not_measure_is_no_value() -> None:
    assert value("uint64", "ffffffffffffffff", absent="ffffffffffffffff") is None
    assert value("uint64", "fffffffffffffffe", absent="ffffffffffffffff") is not None


@given(st.integers(0, (1 << 32) - 1))
@example(0x7F7FFFFF)
@example(0x00000001)
@example(0x80000000)
@example(0x3DCCCCCD)
@example(0x4B7FFFFF)
def test_a_float32_is_the_shortest_decimal_that_reads_back_as_it(bits: int) -> None:
    wire = struct.pack(">I", bits)
    (number,) = struct.unpack(">f", wire)
    if not math.isfinite(number):
        with pytest.raises(ValueError, match="no measured value"):
            shortest_decimal(number)
        return
    exact = shortest_decimal(number)
    assert struct.pack(">f", float(exact)) == wire
    digits = len(exact.as_tuple().digits)
    if digits > 6:
        assert struct.pack(">f", float(f"{number:.{digits - 1}g}")) != wire


@pytest.mark.parametrize(("number", "text"), [(0.1, "0.1"), (123456.789, "123456.79"), (16777216.0, "16777216")])
def test_a_float32_does_not_show_digits_that_it_does_not_have(number: float, text: str) -> None:
    assert str(shortest_decimal(struct.unpack(">f", struct.pack(">f", number))[0])) == text


def test_a_table_of_ones_own_is_read_and_its_mistakes_are_told_at_once(tmp_path: Path) -> None:
    good = tmp_path / "mine.toml"
    good.write_text((FOLDER / "abb-b23.toml").read_text())
    assert load_table(good) == load_model("abb-b23")
    bad = tmp_path / "bad.toml"
    bad.write_text(
        'source = "x"\nserial = { address = 70000 }\n'
        'register = [{ obis = "1.8.0", address = 0, type = "float64", unit = "kWh", scale = 0.1, absent = "xyz" }]\n'
    )
    with pytest.raises(SettingsError) as raised:
        load_table(bad)
    assert len(raised.value.problems) == 5


def test_a_serial_number_that_is_none_is_told_apart() -> None:
    number, text = load_model("sdm630").serial, load_model("em340").serial
    assert number is not None
    assert text is not None
    assert number.text(bytes.fromhex("00bc614e")) == "12345678"
    assert number.text(bytes(4)) is None
    assert text.text(b"BQ1234567890X\0") == "BQ1234567890X"
    assert text.text(b"B" + bytes(13)) is None
    assert text.text(bytes(range(14))) is None


def test_a_part_of_an_answer_is_only_what_the_read_covers() -> None:
    read = RegisterRead(4, 10, 3)
    assert read.part(b"abcdef", RegisterRead(4, 11, 2)) == b"cdef"
    assert read.part(b"abcdef", RegisterRead(4, 12, 2)) is None
    assert read.part(b"abcdef", RegisterRead(4, 9, 2)) is None
    assert read.part(b"abcdef", RegisterRead(3, 11, 2)) is None


@pytest.mark.parametrize("model", MODELS)
def test_a_table_is_plain_toml(model: str) -> None:
    assert "source" in tomllib.loads((FOLDER / f"{model}.toml").read_text())
