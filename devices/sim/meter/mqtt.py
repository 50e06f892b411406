"""A simulated meter or metering plug that publishes over MQTT: Tasmota, Shelly Pro 3EM or Zigbee2MQTT."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.publishing import Published, PublishingDevice

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth

_REGISTERS = ("1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0")


class MqttMeterMessages:
    """Registers that only rise, a power that moves at random; numbers are written digit by digit, never as floats."""

    def __init__(self, device: str, seed: int, form: str) -> None:
        self._device, self._form = device, form
        self._random = random.Random(seed)
        self._imported_wh = self._random.randrange(5_000_000)
        self._exported_wh = self._random.randrange(1_000_000)

    @property
    def topic(self) -> str:
        """Where it publishes."""
        return {
            "tasmota": f"tele/{self._device}/SENSOR",
            "shelly": f"{self._device}/events/rpc",
            "zigbee2mqtt": f"zigbee2mqtt/{self._device}",
        }[self._form]

    def message(self, now: datetime) -> Published:
        """The next message at `now` (aware), and what it says."""
        self._imported_wh += self._random.randint(1, 9)
        self._exported_wh += self._random.randint(0, 2)
        power_w = self._random.randint(-3000, 9000)
        voltage = f"{self._random.randint(2250, 2350)}"
        volts = f"{voltage[:-1]}.{voltage[-1]}"
        if self._form == "shelly":
            return self._shelly(now, volts, f"{power_w}.{self._random.randint(0, 9)}")
        energies = _thousandths(self._imported_wh), _thousandths(self._exported_wh)
        if self._form == "tasmota":
            time = f"{now:%Y-%m-%dT%H:%M:%S}"
            payload = (
                f'{{"Time":"{time}","ENERGY":{{"TotalStartTime":"2024-01-01T00:00:00","Total":{energies[0]},'
                f'"Yesterday":1.234,"Today":0.120,"ExportActive":{energies[1]},"Period":4,"Power":{power_w},'
                f'"ApparentPower":{abs(power_w)},"Factor":1.00,"Voltage":{volts},"Current":0.123}}}}'
            )
        else:
            time = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
            payload = (
                f'{{"current":0.12,"energy":{energies[0]},"last_seen":"{time}","linkquality":102,"power":{power_w},'
                f'"produced_energy":{energies[1]},"state":"ON","voltage":{volts}}}'
            )
        return self._published(self._device, time, payload, (*energies, str(power_w)), "kWh")

    def _shelly(self, now: datetime, volts: str, power_w: str) -> Published:
        """A notification of an energy meter's two components; a real one tells energy each minute only."""
        time = f"{int(now.timestamp())}.{now.microsecond // 10_000:02d}"
        energies = f"{self._imported_wh}.50", f"{self._exported_wh}.25"
        payload = (
            f'{{"src":"{self._device}","dst":"{self._device}/events","method":"NotifyStatus","params":{{"ts":{time},'
            f'"emdata:0":{{"id":0,"a_total_act_energy":{energies[0]},"total_act":{energies[0]},'
            f'"total_act_ret":{energies[1]}}},'
            f'"em:0":{{"id":0,"a_voltage":{volts},"n_current":null,"total_act_power":{power_w}}}}}}}'
        )
        return self._published(f"{self._device}/em:0", time, payload, (*energies, power_w), "Wh")

    def _published(self, meter_id: str, time: str, payload: str, values: tuple[str, ...], unit: str) -> Published:
        registers = [
            {"obis": obis, "value": value, "unit": each}
            for obis, value, each in zip(_REGISTERS, values, (unit, unit, "W"), strict=True)
        ]
        data = {"meter_id": meter_id, "meter_time": time, "integrity": "none", "registers": registers}
        return Published(self.topic, payload.encode(), [("meter.reading", data)])


def _thousandths(count: int) -> str:
    return f"{count // 1000}.{count % 1000:03d}"


class MqttMeter(PublishingDevice):
    """Kind `meter-mqtt`; options `broker` (its URL) and `format` ("tasmota" if none, "shelly" or "zigbee2mqtt")."""

    kind: ClassVar[str] = "meter-mqtt"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._form = str(placement.options.get("format", "tasmota"))
        self._meter = MqttMeterMessages(placement.id, placement.seed, self._form)
        super().__init__(placement, truth, self._meter)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {"driver": "mqtt-meter", "url": self.broker, "format": self._form, "topic": self._meter.topic}
