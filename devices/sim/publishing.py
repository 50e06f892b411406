"""A device that publishes to a broker every interval: what the simulated devices with MQTT have in common."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from devices.sim.faults import Faults
from devices.sim.interval import each_interval
from devices.sim.mqtt_publisher import Publisher

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth


class Published(NamedTuple):
    """One message, and the events (type, data) that a gateway is to record of it."""

    topic: str
    payload: bytes
    events: list[tuple[str, dict[str, Any]]]


class Messages(Protocol):
    """What a device says, one message after the other."""

    def message(self, now: datetime) -> Published:
        """The next message at `now`."""


class PublishingDevice:
    """Publishes with QoS 1 to the broker of `placement.options["broker"]`.

    What it said is sure in the truth once the broker acknowledged it; a gateway gets it if it ever had a session there.
    Noise and truncation are messages of their own on the same topic, as a broken publisher sends them, before the whole
    one; an unplug cuts the connection. A bit does not flip on TCP.
    """

    def __init__(self, placement: Placement, truth: Truth, messages: Messages) -> None:
        self._placement, self._truth, self._messages = placement, truth, messages
        self._faults = Faults(replace(placement.faults, flip=0.0), placement.seed)
        self._publisher = Publisher(self.broker, client_id=placement.id)

    @property
    def broker(self) -> str:
        """The broker's URL."""
        return str(self._placement.options.get("broker", "mqtt://127.0.0.1:1883"))

    async def start(self) -> None:
        """Nothing to open: the broker is another's, and is connected to by `run`."""

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publisher.run())
            tasks.create_task(each_interval(self._placement.real_interval_s, self._publish, seed=self._placement.seed))

    async def _publish(self) -> None:
        topic, payload, events = self._messages.message(self._placement.clock.now())
        device = self._placement.id
        numbers = [self._truth.add(device, kind, data, sure=False) for kind, data in events]

        def acknowledged() -> None:
            for number in numbers:
                self._truth.kept(device, number)

        damaged, _ = self._faults.apply(payload)
        if damaged != payload:
            self._publisher.publish(topic, damaged)
        self._publisher.publish(topic, payload, acknowledged)
        if self._faults.unplugs():
            self._publisher.cut()
