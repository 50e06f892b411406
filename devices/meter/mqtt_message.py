"""Meters in MQTT messages of Tasmota, Shelly (Gen2 and later), Zigbee2MQTT and others: bytes in, meters out.

A meter is named after its topic, never after what a payload claims: a topic is what a broker's access rules can hold a
device to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.meter.mqtt_formats import (
    SHELLY,
    SHELLY_METER_OF_DATA,
    TASMOTA,
    ZIGBEE2MQTT,
    ZIGBEE2MQTT_METERS_TELL,
)
from devices.meter.registers import Meter, Register, can_be_signed
from devices.wire.exact_json import parse_exact_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.driver import WireCounters
    from devices.meter.mqtt_formats import Field

METER_ID_BYTES_MAX = 64
TIME_CHARACTERS_MAX = 32
_SHELLY_NUMBERS = {str(number) for number in range(256)}
_SHELLY_NOTIFICATIONS = ("NotifyStatus", "NotifyFullStatus")


class _Told(NamedTuple):
    """What a message tells of one meter: the object that holds its numbers, and where in it they are."""

    meter_id: str
    time: Any
    value: Any
    fields: Sequence[Field]


Reader = Callable[[str, Any], Iterator[_Told]]
"""Takes a topic and a JSON value; gives what is told of each meter."""


def tasmota(topic: str, value: Any) -> Iterator[_Told]:
    """`tele/<topic>/SENSOR`, and `stat/<topic>/STATUS10` that answers a query."""
    value = find(value, ("StatusSNS",)) or value
    yield _Told(_level_before_last(topic), find(value, ("Time",)), value, TASMOTA)


def zigbee2mqtt(topic: str, value: Any) -> Iterator[_Told]:
    """`<base topic>/<friendly name>`, where the name may have several levels."""
    if any(find(value, (name,)) is not None for name in ZIGBEE2MQTT_METERS_TELL):
        yield _Told(topic.partition("/")[2] or topic, find(value, ("last_seen",)), value, ZIGBEE2MQTT)


def shelly(topic: str, value: Any) -> Iterator[_Told]:
    """`<prefix>/events/rpc` (any components at once), and `<prefix>/status/<component>`, which tells no time."""
    if topic.endswith("/events/rpc"):
        if find(value, ("method",)) not in _SHELLY_NOTIFICATIONS:
            return
        prefix, components = topic.removesuffix("/events/rpc"), find(value, ("params",))
    else:
        prefix, _, component = topic.rpartition("/")
        prefix, components = prefix.removesuffix("/status"), {component: value}
    if not isinstance(components, dict):
        return
    for component, status in components.items():
        name, _, number = component.partition(":")
        if name in SHELLY and number in _SHELLY_NUMBERS:
            meter_id = f"{prefix}/{SHELLY_METER_OF_DATA.get(name, name)}:{number}"
            yield _Told(meter_id, components.get("ts"), status, SHELLY[name])


def configured(fields: Sequence[Field], time_path: tuple[str, ...]) -> Reader:
    """A reader of messages whose fields an operator names; the meter's id is the topic."""

    def read(topic: str, value: Any) -> Iterator[_Told]:
        yield _Told(topic, find(value, time_path) if time_path else None, value, fields)

    return read


def _level_before_last(topic: str) -> str:
    levels = topic.split("/")
    return levels[-2] if len(levels) > 1 else topic


def find(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at `path` in a JSON value, or None."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 4 and int(step) < len(value):  # noqa: PLR2004
            value = value[int(step)]
        else:
            return None
    return value


def meters_in(reader: Reader, topic: str, payload: bytes, counters: WireCounters) -> list[Meter]:
    """The meters of one message; none when it tells of none.

    A number that cannot be signed is counted as an error and left out. Raises ValueError with a sentence for a message
    that is no exact JSON, or whose meter's id is too long to be recorded.
    """
    value = parse_exact_json(payload)
    meters: dict[str, Meter] = {}
    for told in reader(topic, value):
        registers = tuple(_registers(told, counters))
        if not registers:
            continue
        if not 0 < len(told.meter_id.encode()) <= METER_ID_BYTES_MAX:
            raise ValueError(f"the meter's id in the topic is empty, or has more than {METER_ID_BYTES_MAX} bytes")
        known = meters.get(told.meter_id)
        if known is not None:
            registers = (*known.registers, *registers)
        meters[told.meter_id] = Meter(told.meter_id, _time(told.time), registers)
    return list(meters.values())


def _registers(told: _Told, counters: WireCounters) -> Iterator[Register]:
    for path, obis, unit in told.fields:
        number = find(told.value, path)
        if type(number) is int:
            number = Decimal(number)
        if not isinstance(number, Decimal):
            continue
        if can_be_signed(number):
            yield Register(obis, number, unit)
        else:
            counters.errors += 1
            counters.last_error = f"{obis} has more digits than can be signed"


def _time(value: Any) -> str | None:
    """The device's own time, as it wrote it: text, or a number (Shelly: Unix seconds)."""
    if isinstance(value, str) or type(value) is int or isinstance(value, Decimal):
        text = str(value)
        if 0 < len(text) <= TIME_CHARACTERS_MAX and text.isascii() and text.isprintable():
            return text
    return None
