from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.driver import Origin, WireCounters
from devices.meter.registers import DEFAULT_PATTERNS, RegisterFilter, meter_readings
from devices.meter.sml import Sml, SmlSettings, meter_of
from devices.meter.sml_file import SmlLine, SmlList, parse_file
from devices.meter.sml_transport import SmlTransport
from devices.sim.meter.sml_frame import SmlFrames
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.pty import PseudoTerminal

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def as_text(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "registers": [{**row, "value": str(row["value"])} for row in data["registers"]]}


def test_a_real_meter_gives_its_identity_its_clock_and_its_registers(corpora: Path) -> None:
    counters = WireCounters()
    chosen = RegisterFilter(DEFAULT_PATTERNS)
    raw = (corpora / "meters/sml/DZG_DVS-7420.2V.G2_mtr2_neg.bin").read_bytes()
    meters = [
        meter_of(found, chosen, counters)
        for file in SmlTransport(counters).feed(raw)
        for found in parse_file(file, counters)
    ]
    first = next(reading for meter in meters for reading in meter_readings(meter, chosen, "crc", Origin.CHECKSUM))
    assert as_text(dict(first.data)) == {
        "meter_id": "0a01445a4700039e2053",
        "meter_time": str(0x91283B - 3),
        "integrity": "crc",
        "registers": [
            {"obis": "1-0:1.8.0", "value": "13232.9", "unit": "Wh"},
            {"obis": "1-0:2.8.0", "value": "1500321.3", "unit": "Wh"},
            {"obis": "1-0:16.7.0", "value": "-105.50", "unit": "W"},
        ],
    }


def test_readings_of_all_real_dumps_are_what_the_event_type_asks_for(corpora: Path) -> None:
    counters = WireCounters()
    chosen = RegisterFilter(DEFAULT_PATTERNS)
    for path in sorted((corpora / "meters/sml").glob("*.bin")):
        readings = [
            reading
            for file in SmlTransport(counters).feed(path.read_bytes())
            for found in parse_file(file, counters)
            for reading in meter_readings(meter_of(found, chosen, counters), chosen, "crc", Origin.CHECKSUM)
        ]
        assert readings, path.name
        for reading in readings:
            assert event_type("meter.reading").check(reading.data) == reading.data


@pytest.mark.parametrize(
    ("lines", "meter_id"),
    [
        ((SmlLine("1-0:96.1.0*255", b"\x0a\x01", 0, ""),), "0a01"),
        ((SmlLine("1-0:0.0.9*255", b"\x06", 0, ""),), "06"),
        ((), "unknown"),
    ],
)
def test_a_list_without_server_goes_by_the_meters_own_identification(lines: tuple[SmlLine, ...], meter_id: str) -> None:
    assert meter_of(SmlList(b"", None, lines), RegisterFilter(DEFAULT_PATTERNS), WireCounters()).id == meter_id


def test_a_value_that_cannot_be_signed_is_counted_and_left_out() -> None:
    counters = WireCounters()
    lines = (SmlLine("1-0:1.8.0*255", Decimal(1 << 63), 0, "Wh"), SmlLine("1-0:2.8.0*255", Decimal(1), 0, "Wh"))
    meter = meter_of(SmlList(b"\x01", None, lines), RegisterFilter(DEFAULT_PATTERNS), counters)
    assert [register.obis for register in meter.registers] == ["1-0:2.8.0"]
    assert counters.errors == 1


async def test_the_driver_reads_what_the_simulated_meter_shows(terminal: PseudoTerminal) -> None:
    meter = SmlFrames(seed=0x1B1B1B1B)
    driver = Sml("meter-2", SmlSettings(port=terminal.path))
    await driver.open()
    for _ in range(20):
        frame, said = meter.frame(NOW)
        (reading,) = await take(driver, 1, during=partial(terminal.write, frame))
        assert as_text(dict(reading.data)) == said[0]
        assert reading.origin is Origin.CHECKSUM
    assert driver.counters.readings == 20
    assert driver.counters.errors == driver.counters.bytes_dropped == 0
    await driver.close()
