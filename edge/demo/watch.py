"""What the gateway says of itself on MQTT (status and health), heard like an operator hears it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from broker.session import Session
from broker.topics import HEALTH, STATUS, gateway_topic

if TYPE_CHECKING:
    from edge.config import GatewayConfig


class GatewayWatch:
    """Listens while `run` runs. Counts readings over all runs of the gateway, as far as its health told of them."""

    def __init__(self, config: GatewayConfig) -> None:
        place = config.place
        self._health_topic = gateway_topic(HEALTH, place.city, place.gateway)
        self._status_topic = gateway_topic(STATUS, place.city, place.gateway)
        subscriptions = ((self._status_topic, STATUS.qos), (self._health_topic, HEALTH.qos))
        self._session = Session(config.broker, "demo-watch", subscriptions=subscriptions, clean_start=True)
        self._readings: dict[str, int] = {}
        self.readings_heard = 0
        self.state = ""
        self.devices: dict[str, str] = {}
        """`online` or `offline` of each device, by its id."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be heard now; if not, the rest is what was heard last."""
        return self._session.connection > 0

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run(), name="watch session")
            tasks.create_task(self._listen(), name="watch")

    async def _listen(self) -> None:
        async for message in self._session.messages():
            body = json.loads(message.payload)
            if message.topic == self._status_topic:
                self.state = body["state"]
            else:
                self._take_health(body)
            message.acknowledge()

    def _take_health(self, health: dict[str, Any]) -> None:
        for device in health["devices"]:
            before, now = self._readings.get(device["id"], 0), device["readings"]
            # A gateway that was started again counts from 0.
            self.readings_heard += now - before if now >= before else now
            self._readings[device["id"]] = now
            self.devices[device["id"]] = "online" if device["online"] else "offline"
