"""Meters and metering plugs that publish to an MQTT broker: Tasmota, Shelly, Zigbee2MQTT, any JSON by configuration.

The broker is the devices' own, or a building's; a session there authenticates us, not them, so a reading's origin is
unprotected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Origin, Reading
from devices.meter import mqtt_message
from devices.meter.mqtt_formats import DEFAULT_TOPICS, Field
from devices.meter.registers import DEFAULT_PATTERNS, RegisterFilter, meter_readings, registers_setting
from devices.wire.mqtt_driver import MqttDriver
from devices.wire.mqtt_settings import MqttSettings, check_topic_filter
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from broker.connection import Message

DEFAULT_REGISTERS = (*DEFAULT_PATTERNS, "15.8.0")
_OBIS = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}")
_READERS = {
    "tasmota": mqtt_message.tasmota,
    "shelly": mqtt_message.shelly,
    "zigbee2mqtt": mqtt_message.zigbee2mqtt,
}


def _check_obis(obis: str) -> str | None:
    return None if _OBIS.fullmatch(obis) else f"is {obis!r}; write an OBIS code such as 1-0:1.8.0"


@dataclass(frozen=True)
class ConfiguredField:
    """A `[[device.field]]`: where in the JSON a register stands, with `format = "json"`."""

    path: str = setting(doc="keys, and indices into arrays, joined by dots: SML.Total_in", minimum=1, maximum=200)
    obis: str = setting(doc="the register's OBIS code", check=_check_obis)
    unit: str = setting(doc="the unit in which the device tells it", minimum=1, maximum=16)


@dataclass(frozen=True)
class MqttMeterSettings(MqttSettings):
    """Keys of a `[[device]]` with `driver = "mqtt-meter"`."""

    format: str = setting("tasmota", doc="who wrote the messages", choices=(*DEFAULT_TOPICS, "json"))
    topic: str | None = setting(
        None,
        doc="what to subscribe to, with wildcards + and #; the format's own if none is given",
        check=check_topic_filter,
    )
    registers: tuple[str, ...] | None = registers_setting(None)
    field: tuple[ConfiguredField, ...] = setting((), doc='where the registers stand; only with format = "json"')
    time_path: str | None = setting(None, doc='where the device\'s time stands; only with format = "json"', minimum=1)

    def __post_init__(self) -> None:
        """Raises ValueError for keys that contradict each other."""
        super().__post_init__()
        if self.format == "json":
            if not self.field or self.topic is None:
                raise ValueError('format = "json" needs a topic, and a [[device.field]] for each register')
        elif self.field or self.time_path is not None:
            raise ValueError('field and time_path are for format = "json"; the other formats have their own')


class MqttMeter(MqttDriver):
    """Driver of all meters that one topic filter catches."""

    Settings: ClassVar[type[MqttMeterSettings]] = MqttMeterSettings

    def __init__(self, device: str, settings: MqttMeterSettings) -> None:
        super().__init__(device, settings, settings.topic or DEFAULT_TOPICS[settings.format])
        if settings.format == "json":
            fields = [Field(_path(one.path), one.obis, one.unit) for one in settings.field]
            self._reader = mqtt_message.configured(fields, _path(settings.time_path or ""))
            self._chosen = RegisterFilter(settings.registers or ("x.x.x",))
        else:
            self._reader = _READERS[settings.format]
            self._chosen = RegisterFilter(DEFAULT_REGISTERS if settings.registers is None else settings.registers)

    def readings_in(self, message: Message) -> list[Reading]:
        """One `meter.reading` a meter."""
        try:
            meters = mqtt_message.meters_in(self._reader, message.topic, message.payload, self.counters)
        except ValueError as error:
            self.counters.errors += 1
            self.counters.bytes_dropped += len(message.payload)
            self.counters.last_error = str(error)
            return []
        readings: list[Reading] = []
        for meter in meters:
            for reading in meter_readings(meter, self._chosen, "none", Origin.UNPROTECTED):
                identity = _identity(message, len(readings), timed=meter.time is not None)
                readings.append(reading._replace(id=identity))
        return readings


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _identity(message: Message, number: int, *, timed: bool) -> str | None:
    """The identity of a message's reading, by which a message that is delivered again is recorded once.

    A message that tells the device's time is itself its identity, also when the device or a bridge sends it to the
    broker again. One without a time may be the same as an hour ago and yet news: there the packet id, which the broker
    keeps when it delivers again, tells two apart; with QoS 0 there is none, and no second delivery.
    """
    if not timed and message.qos == 0:
        return None
    packet = b"" if timed else message.packet_id.to_bytes(2, "big")
    content = b"\0".join((message.topic.encode(), packet, message.payload))
    return f"{sha256(content).hexdigest()[:40]}-{number}"
