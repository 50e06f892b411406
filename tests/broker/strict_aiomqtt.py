"""aiomqtt as tests may use it: MQTT 5, and a refused PUBACK raises (plain aiomqtt 2.5 swallows it).

A client of independent code, to look at what our session sends and to send what it should receive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiomqtt

if TYPE_CHECKING:
    from paho.mqtt.client import Client as PahoClient
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from broker.url import BrokerUrl


class RefusedError(Exception):
    """The broker answered PUBLISH with a reason code of 0x80 or more."""


class StrictClient(aiomqtt.Client):
    """aiomqtt.Client whose `publish` raises RefusedError; one publish at a time."""

    _refused: int | None = None

    def __init__(self, url: BrokerUrl, client_id: str, **options: Any) -> None:
        super().__init__(url.host, url.port, identifier=client_id, protocol=aiomqtt.ProtocolVersion.V5, **options)

    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.is_failure:
            self._refused = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def publish(self, *args: Any, **options: Any) -> None:
        self._refused = None
        await super().publish(*args, **options)
        if self._refused is not None:
            raise RefusedError(f"refused with 0x{self._refused:02x}")
