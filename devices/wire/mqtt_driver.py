"""What drivers of devices behind an MQTT broker have in common."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Reading, Recorded, Refused, WireCounters, WireRole
from devices.wire.mqtt_feed import MqttFeed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from broker.connection import Message
    from devices.wire.mqtt_settings import MqttSettings


class MqttDriver(abc.ABC):
    """Driver of all devices that one topic filter catches; `PassingOver`: an outcome acknowledges its message."""

    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: MqttSettings, topic: str) -> None:
        self.device = device
        self.counters = WireCounters()
        self._feed = MqttFeed(settings, device, topic, self.counters)

    @abc.abstractmethod
    def readings_in(self, message: Message) -> Sequence[Reading]:
        """The readings in a message; what cannot be read is counted."""

    async def open(self) -> None:
        """Connect and subscribe. Raises DeviceError."""
        await self._feed.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """The readings of each message. Raises DeviceError when the connection is lost."""
        while True:
            message = await self._feed.read()
            readings = self.readings_in(message)
            self._feed.settle_after(message, readings)
            for reading in readings:
                self.counters.readings += 1
                yield reading

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:  # noqa: ARG002 - MQTT has one answer
        """Acknowledge the message of `reading`, if this was the last reading of it: it need not come again."""
        self._feed.settle(reading)

    async def pass_over(self, reading: Reading) -> None:
        """Acknowledge the message of `reading` as well: it is not worth recording."""
        self._feed.settle(reading)

    async def close(self) -> None:
        """Disconnect; idempotent."""
        await self._feed.close()
