from __future__ import annotations

from typing import Any

from devices.driver import Addressed
from devices.meter.modbus import Modbus, ModbusSettings
from ledger_sync.proof.settings import Problems, read_settings


def problems(**settings: Any) -> str:
    found = Problems()
    assert read_settings(ModbusSettings, {"port": "/dev/ttyS0", "model": "sdm630", **settings}, found) is None
    return " ".join(found)


def test_settings_that_do_not_go_together_are_refused_with_the_mend() -> None:
    assert "abb-b23" in problems(model="sdm9000")
    assert "either `model`" in problems(table="mine.toml")
    assert "must be 1 to 247" in problems(unit=248)
    assert "serial port" in problems(port="tcp://192.0.2.1:502", listen=True, meter_id="x")
    assert "`meter_id`" in problems(listen=True)
    assert "tcp://192" in problems(port="tcp://nowhere")
    assert ModbusSettings("tcp://192.0.2.1:502", unit=255, model="sdm630").unit == 255


def test_units_at_one_port_are_told_apart() -> None:
    assert issubclass(Modbus, Addressed)
    assert Modbus.address(ModbusSettings("/dev/ttyS0", unit=3, model="sdm630")) == "unit 3"
