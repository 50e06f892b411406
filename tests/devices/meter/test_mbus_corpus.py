"""Real frames and the XML that libmbus prints of them (its test-frames; BSD-3), record by record."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from devices.driver import WireCounters
from devices.meter.mbus_link import FrameFinder, Response
from devices.meter.mbus_registers import DEFAULT_PATTERNS, meter_of
from devices.meter.mbus_telegram import Function, parse_telegram
from devices.meter.registers import RegisterFilter

if TYPE_CHECKING:
    from pathlib import Path

    from devices.meter.mbus_telegram import Record, Telegram

FUNCTIONS = {
    "Instantaneous value": Function.INSTANTANEOUS,
    "Maximum value": Function.MAXIMUM,
    "Minimum value": Function.MINIMUM,
    "Value during error state": Function.ERROR_STATE,
}
MANUFACTURER_DATA = {"Manufacturer specific": False, "More records follow": True}
MEDIA = {
    "Other": 0x00,
    "Electricity": 0x02,
    "Gas": 0x03,
    "Heat: Outlet": 0x04,
    "Warm water (30-90°C)": 0x06,
    "Water": 0x07,
    "Heat: Inlet": 0x0C,
    "Cold water": 0x16,
    "Ambient Sensor": 0x1B,
}
SCALED = re.compile(
    r"(?P<factor>1e-?\d+|100?|0\.1)? *(?P<prefix>my|[mkMG])? *"
    r"(?P<unit>Wh|J/h|J|W|m\^3/h|m\^3|kg/h|kg|deg C|bar|V|A|seconds|minutes|hours|days|year\(s\)|%RH)"
)
PREFIXES = {None: 0, "my": -6, "m": -3, "k": 3, "M": 6, "G": 9}
UNITS = {"deg C": "Cel", "m^3": "m3", "m^3/h": "m3/h", "seconds": "s", "minutes": "min", "hours": "h", "days": "d"}


def unit_and_factor(text: str) -> tuple[str, Decimal] | None:
    """What libmbus' words of a unit, such as `Volume (1e-2  m^3)`, say; None where they name no unit."""
    inner = text.partition("(")[2].rstrip(")") or text
    found = SCALED.fullmatch(inner.strip())
    if found is None:
        return None
    unit = UNITS.get(found["unit"], found["unit"])
    if "Difference" in text:
        unit = "K"
    factor = Decimal(found["factor"] or 1) * Decimal(10) ** PREFIXES[found["prefix"]]
    return unit, factor


def assert_same_record(record: Record, node: ET.Element) -> None:
    assert record.function is FUNCTIONS[text(node, "Function")]
    assert record.storage == int(text(node, "StorageNumber"))
    assert record.tariff == int(text(node, "Tariff") or 0)
    assert record.subunit == int(text(node, "Device") or 0)
    told, unit = text(node, "Value"), text(node, "Unit", strip=False)
    scale = unit_and_factor(unit)
    if "Time Point" in unit:
        assert isinstance(record.value, str)
        # libmbus prints seconds that type F does not have, and drops what it says of summer time.
        assert told in (record.value.removesuffix("S"), f"{record.value.removesuffix('S')}:00")
    elif scale is not None:
        assert record.quantity.unit == scale[0]
        if isinstance(record.value, str):  # digits above 9: what the display shows of an error
            assert record.value == told.rjust(len(record.value), "0")
        elif "." in told:
            assert isinstance(record.value, Decimal)
            assert same_float32(record.value / scale[1], told)
        else:
            assert record.value == Decimal(told) * scale[1]
    elif isinstance(record.value, Decimal):
        assert record.value == Decimal(told)
    else:
        assert record.value == told


def same_float32(value: Decimal, printed: str) -> bool:
    (number,) = struct.unpack("<f", struct.pack("<f", float(value)))
    return f"{number:f}" == printed


def text(node: ET.Element, name: str, *, strip: bool = True) -> str:
    found = node.findtext(name) or ""
    return found.strip() if strip else found


def telegram_in(path: Path) -> Telegram:
    counters = WireCounters()
    (answer,) = FrameFinder(counters).feed(bytes.fromhex(path.read_text()))
    assert isinstance(answer, Response)
    assert counters == WireCounters()
    return parse_telegram(answer.control_information, answer.data)


def assert_same_meter(telegram: Telegram, node: ET.Element) -> None:
    header = telegram.header
    assert header.identification == text(node, "Id").rjust(8, "0")
    assert header.manufacturer == text(node, "Manufacturer")
    assert header.version == int(text(node, "Version"))
    assert header.medium == MEDIA[text(node, "Medium")]
    assert header.access_number == int(text(node, "AccessNumber"))
    assert header.status == int(text(node, "Status"), 16)


def test_each_real_frame_gives_the_records_that_the_reference_prints(corpora: Path) -> None:
    compared = 0
    for path in sorted((corpora / "meters/mbus").glob("*.hex")):
        # The XML calls itself ISO 8859-1, and is UTF-8.
        root = ET.fromstring(path.with_suffix(".xml").read_text("utf-8").partition("?>")[2])
        telegram = telegram_in(path)
        assert telegram.problem == ""
        slave = root.find("SlaveInformation")
        assert slave is not None
        assert_same_meter(telegram, slave)
        nodes = root.findall("DataRecord")
        if nodes and text(nodes[-1], "Function") in MANUFACTURER_DATA:
            last = nodes.pop()
            assert telegram.more_follow == MANUFACTURER_DATA[text(last, "Function")]
            assert telegram.manufacturer_data == bytes.fromhex(text(last, "Value"))
        else:
            assert telegram.manufacturer_data is None
        assert len(telegram.records) == len(nodes), path.name
        for record, node in zip(telegram.records, nodes, strict=True):
            assert_same_record(record, node)
            compared += 1
    assert compared > 150


@pytest.mark.parametrize(
    ("name", "meter_id", "totals"),
    [
        (
            "Elster-F2",
            "00802657-SVM-08-04",
            {"6-0:1.0.0": ("5272000", "Wh"), "6-0:2.0.0": ("1204.27", "m3")},
        ),
        ("GWF-MTKcoder", "00182007-GWF-35-07", {"8-0:1.0.0": ("269", "m3")}),
        ("ACW_Itron-BM-plus-m", "11490378-ACW-0e-16", {"8-0:1.0.0": ("54.321", "m3")}),
        ("LGB_G350", "12082058-LGB-40-03", {}),
    ],
)
def test_the_totals_of_real_meters_have_their_obis_codes(
    corpora: Path, name: str, meter_id: str, totals: dict[str, tuple[str, str]]
) -> None:
    meter = meter_of([telegram_in(corpora / f"meters/mbus/{name}.hex")], WireCounters())
    chosen = RegisterFilter(DEFAULT_PATTERNS)
    told = {one.obis: (str(one.value), one.unit) for one in meter.registers if chosen.matches(one.obis)}
    assert (meter.id, told) == (meter_id, totals)
