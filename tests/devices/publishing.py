"""Publishing to a broker in tests, as devices do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.broker.strict_aiomqtt import StrictClient

if TYPE_CHECKING:
    from broker.url import BrokerUrl


async def publish(url: BrokerUrl, *messages: tuple[str, bytes], **options: Any) -> None:
    """Publish the (topic, payload) pairs in order with QoS 1, each acknowledged; `options` are aiomqtt's."""
    async with StrictClient(url, "publisher") as client:
        for topic, payload in messages:
            await client.publish(topic, payload, **{"qos": 1, **options})
