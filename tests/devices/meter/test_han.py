from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import DriverContract
from devices.meter.han import Han, HanSettings
from devices.sim.meter.han_frame import HanFrames, hdlc
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from devices.driver import Driver, Reading
    from devices.sim.pty import PseudoTerminal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def as_text(reading: Reading) -> dict[str, Any]:
    registers = [{**row, "value": str(row["value"])} for row in reading.data["registers"]]
    return {**reading.data, "registers": registers}


class TestHanIsADriver(DriverContract):
    def make(self, port: str) -> Driver:
        return Han("meter-1", HanSettings(port))

    def frame(self) -> bytes:
        return HanFrames(7).frame(NOW)[0]


@pytest.mark.parametrize("maker", HanFrames.MAKERS)
async def test_the_hourly_totals_of_each_maker_are_recorded_by_default(terminal: PseudoTerminal, maker: str) -> None:
    meter, frames = Han("meter-1", HanSettings(terminal.path)), HanFrames(7, maker)
    sent = [frames.frame(NOW) for _ in range(9)]
    await meter.open()
    readings = await take(meter, 3, during=lambda: terminal.write(b"".join(frame for frame, _ in sent)))
    await meter.close()
    assert [as_text(reading) for reading in readings] == [row for _, truth in sent for row in truth]
    for reading in readings:
        event_type("meter.reading").check(reading.data)
    assert meter.counters.errors == 0


async def test_power_is_recorded_when_it_is_chosen_and_belongs_to_the_meter_that_was_named(
    terminal: PseudoTerminal,
) -> None:
    meter, frames = Han("meter-1", HanSettings(terminal.path, registers=("1.7.0",))), HanFrames(7, "kaifa")
    await meter.open()
    sent = b"".join(frames.frame(NOW)[0] for _ in range(4))
    readings = await take(meter, 4, during=lambda: terminal.write(sent))
    await meter.close()
    assert {reading.data["meter_id"] for reading in readings} == {frames.meter_id}


async def test_an_encrypted_push_is_a_counted_error_that_says_so(terminal: PseudoTerminal) -> None:
    meter = Han("meter-1", HanSettings(terminal.path))
    encrypted = hdlc(b"\xe6\xe7\x00\xdb\x08" + bytes(40), b"\x2b\x21", 0x13)
    await meter.open()
    await take(meter, 1, during=lambda: terminal.write(encrypted + HanFrames(7).frame(NOW)[0]))
    await meter.close()
    assert meter.counters.errors == 1
    assert "encrypted" in meter.counters.last_error
