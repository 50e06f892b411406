"""Parking sensors on LoRaWAN, as ChirpStack 4 publishes their uplinks over MQTT.

A frame is integrity-checked and decrypted by the network server; from there to us nothing protects it that we could
check, so a reading's origin is unprotected.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from devices.driver import Origin, Reading
from devices.parking.chirpstack_uplink import parse_uplink
from devices.parking.sensor_payload import DECODERS, PayloadField, check_table, decode
from devices.wire.mqtt_driver import MqttDriver
from devices.wire.mqtt_settings import MqttSettings, check_topic_filter
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from broker.connection import Message
    from devices.parking.chirpstack_uplink import Uplink

SENSORS_MAX = 4096
"""How many sensors' frame counters are remembered."""
_UPLINK_TOPIC_END = "/event/up"
_EUI = re.compile(r"[0-9A-Fa-f]{16}")
_BAY_CHARACTERS_MAX = 64


def _parse_bays(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(_EUI.fullmatch(dev_eui) for dev_eui in raw):
        raise ValueError('must be a table of DevEUI (16 hexadecimal digits) and bay: "0102030405060708" = "A-17"')
    for dev_eui, bay in raw.items():
        if not isinstance(bay, str) or not 0 < len(bay) <= _BAY_CHARACTERS_MAX:
            raise ValueError(f"the bay of {dev_eui} must be text of 1 to {_BAY_CHARACTERS_MAX} characters")
    return {dev_eui.lower(): bay for dev_eui, bay in raw.items()}


@dataclass(frozen=True)
class ChirpStackSettings(MqttSettings):
    """Keys of a `[[device]]` with `driver = "chirpstack"`."""

    topic: str = setting(
        "application/+/device/+/event/up",
        doc="what to subscribe to; an application's id in place of the first + takes that one only",
        check=check_topic_filter,
    )
    decoder: str = setting("bosch-parking", doc="whose payloads they are", choices=(*DECODERS, "table"))
    decode: tuple[PayloadField, ...] = setting((), doc='the payload\'s fields; only with decoder = "table"')
    bays: dict[str, str] | None = setting(
        None, doc="each sensor's bay by its DevEUI; without one the bay is named after the DevEUI", parse=_parse_bays
    )

    def __post_init__(self) -> None:
        """Raises ValueError for keys that contradict each other."""
        super().__post_init__()
        if self.decoder == "table" and not self.decode:
            raise ValueError('decoder = "table" needs [[device.decode]] rows')
        if self.decoder != "table" and self.decode:
            raise ValueError('decode is for decoder = "table"')
        check_table(self.decode)


class ChirpStack(MqttDriver):
    """Driver of all sensors that one topic filter catches."""

    Settings: ClassVar[type[ChirpStackSettings]] = ChirpStackSettings

    def __init__(self, device: str, settings: ChirpStackSettings) -> None:
        super().__init__(device, settings, settings.topic)
        self._table = settings.decode or DECODERS[settings.decoder]
        self._bays = settings.bays or {}
        self._frame_counters = FrameCounters()

    async def open(self) -> None:
        """Connect and subscribe. Raises DeviceError."""
        # What comes first now may be what came last before: delivered again, not counted back.
        self._frame_counters = FrameCounters()
        await super().open()

    def readings_in(self, message: Message) -> tuple[Reading, ...]:
        """One `parking.state` if the message is an uplink that tells one."""
        reading = self._reading(message)
        return () if reading is None else (reading,)

    def _reading(self, message: Message) -> Reading | None:
        """The reading in a message; None for other events, for uplinks of other kinds, and for errors (counted)."""
        if not message.topic.endswith(_UPLINK_TOPIC_END):
            return None
        try:
            uplink = parse_uplink(message.payload)
            fields = decode(self._table, uplink.fport, uplink.data)
        except ValueError as error:
            self.counters.bytes_dropped += len(message.payload)
            self._count_error(str(error))
            return None
        problem = self._frame_counters.follow(uplink)
        if problem is not None:
            self._count_error(problem)
        if fields is None:
            return None
        data = {"bay": self._bays.get(uplink.dev_eui, uplink.dev_eui), **fields, "fcnt": uplink.fcnt}
        if uplink.time is not None:
            data["device_time"] = uplink.time
        return Reading("parking.state", data, Origin.UNPROTECTED, _identity(uplink, message))

    def _count_error(self, sentence: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = sentence


class FrameCounters:
    """The last frame counter of each sensor, of at most 4096 of them; the least recently heard is forgotten first."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, Uplink] = OrderedDict()

    def follow(self, uplink: Uplink) -> str | None:
        """Take the next uplink; one sentence when its frame counter repeats or goes back without a new join.

        The same frame twice (by its deduplication id) is a message that was delivered again, and nothing wrong.
        """
        last = self._last.get(uplink.dev_eui)
        self._last[uplink.dev_eui] = uplink
        self._last.move_to_end(uplink.dev_eui)
        if len(self._last) > SENSORS_MAX:
            self._last.popitem(last=False)
        if last is None or last.session != uplink.session or uplink.fcnt > last.fcnt:
            return None
        if uplink.deduplication_id is not None and uplink.deduplication_id == last.deduplication_id:
            return None
        how = "repeats" if uplink.fcnt == last.fcnt else f"goes back from {last.fcnt} to"
        return (
            f"sensor {uplink.dev_eui}: its frame counter {how} {uplink.fcnt} without a new join: "
            "it restarted with fixed keys (ABP), or somebody sends again what it sent"
        )


def _identity(uplink: Uplink, message: Message) -> str:
    """The identity of an uplink, by which one that ChirpStack or the broker sends again is recorded once."""
    if uplink.deduplication_id is not None:
        return f"{uplink.dev_eui}/{uplink.deduplication_id}"
    return sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()[:40]
