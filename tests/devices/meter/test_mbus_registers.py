from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.driver import WireCounters
from devices.meter.mbus_registers import meter_of
from devices.meter.mbus_telegram import parse_telegram

if TYPE_CHECKING:
    from devices.meter.registers import Meter

ELECTRICITY, GAS, HEAT, WARM_WATER, COOLING, COST = 0x02, 0x03, 0x04, 0x06, 0x0A, 0x08


def meter(medium: int, *telegrams: str) -> Meter:
    header = bytes.fromhex("7803491177040e") + bytes((medium, 10, 0, 0, 0))
    counters = WireCounters()
    found = meter_of([parse_telegram(0x72, header + bytes.fromhex(one)) for one in telegrams], counters)
    assert counters == WireCounters()
    return found


@pytest.mark.parametrize(
    ("medium", "records", "registers"),
    [
        (ELECTRICITY, "0104 05", "1-0:1.8.0 50 Wh"),
        (ELECTRICITY, "811004 05", "1-0:1.8.1 50 Wh"),
        (ELECTRICITY, "01843c 05", "1-0:2.8.0 50 Wh"),
        (ELECTRICITY, "012b fe", "1-0:16.7.0 -2 W"),
        (ELECTRICITY, "02fdc8fc02 fb08", "1-0:52.7.0 229.9 V"),
        (ELECTRICITY, "02fdd9fc03 fb08", "1-0:71.7.0 2.299 A"),
        (GAS, "0113 05", "7-0:3.0.0 0.005 m3"),
        (GAS, "01933a 05", "7-0:3.0.0 0.005 m3"),
        (GAS, "01933e 05", "7-0:3.2.0 0.005 m3"),
        (HEAT, "010e 05", "6-0:1.0.0 5000000 J"),
        (HEAT, "015b 05", "6-0:10.0.0 5 Cel"),
        (COOLING, "0106 05", "5-0:1.0.0 5000 Wh"),
        (WARM_WATER, "013b 05", "9-0:2.0.0 0.005 m3/h"),
        (COST, "016e 05", "4-0:1.0.0 5 units"),
    ],
)
def test_current_values_have_the_obis_code_of_their_medium(medium: int, records: str, registers: str) -> None:
    (register,) = meter(medium, records).registers
    assert f"{register.obis} {register.value} {register.unit}" == registers


@pytest.mark.parametrize(
    ("medium", "record"),
    [
        (HEAT, "4106 05"),  # stored
        (HEAT, "1106 05"),  # a maximum
        (HEAT, "814006 05"),  # of a subunit
        (HEAT, "0186ff01 05"),  # with a meaning that only its maker knows
        (HEAT, "018613 05"),  # with the error "data underflow" or another
        (HEAT, "0d06 03 616263"),  # text
        (HEAT, "0c06 bdebdddd"),  # an error on the display
        (0x1B, "0165 05"),  # a room sensor: no meter
    ],
)
def test_what_is_no_current_value_of_the_main_unit_is_no_register(medium: int, record: str) -> None:
    assert meter(medium, record).registers == ()


def test_the_first_of_several_records_with_one_code_counts() -> None:
    (register,) = meter(HEAT, "0106 05 0103 07", "0106 09").registers
    assert str(register.value) == "5000"


def test_the_registers_of_all_telegrams_are_the_meters_with_its_clock_and_identity() -> None:
    found = meter(HEAT, "0106 05 1f", "0113 07 046d 172ecc13 446d 172ecc14")
    assert [register.obis for register in found.registers] == ["6-0:1.0.0", "6-0:2.0.0"]
    assert (found.id, found.time) == ("11490378-ACW-0e-04", "2014-03-12T14:23")


def test_a_meter_with_the_fixed_structure_is_known_by_its_number_alone() -> None:
    telegram = parse_telegram(0x73, bytes.fromhex("78563412 0a 00 e97e 01000000 35010000"))
    found = meter_of([telegram], WireCounters())
    assert (found.id, [register.obis for register in found.registers]) == ("12345678", ["8-0:1.0.0"])


def test_a_value_that_cannot_be_signed_is_counted_and_left_out() -> None:
    counters = WireCounters()
    header = bytes.fromhex("7803491177040e040a000000")
    telegram = parse_telegram(0x72, header + bytes.fromhex("0707 ffffffffffffff7f"))
    assert meter_of([telegram], counters).registers == ()
    assert counters.errors == 1
