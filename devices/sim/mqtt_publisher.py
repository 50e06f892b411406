"""An MQTT 5 client as devices have one: publishes with QoS 1, and again until it is acknowledged."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_MAX = 1000
RECONNECT_AFTER_S = 0.5
ANSWER_DEADLINE_S = 5.0


class _Kept(NamedTuple):
    topic: str
    payload: bytes
    acknowledged: Callable[[], None]


class Publisher:
    """Keeps up to 1000 messages and publishes them in order, each when the one before it is acknowledged.

    At least once: a message whose acknowledgement was lost reaches the broker twice. Each connection has a paho client
    of its own, since paho does not keep the order over a reconnection.
    """

    def __init__(self, url: str, client_id: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 1883
        self._client_id = client_id
        self._kept: collections.deque[_Kept] = collections.deque(maxlen=KEPT_MAX)
        self._more = asyncio.Event()
        self._socket: socket.socket | None = None

    def publish(self, topic: str, payload: bytes, acknowledged: Callable[[], None] = lambda: None) -> None:
        """Keep a message until the broker has it, and `acknowledged` was called. The oldest of over 1000 is lost."""
        self._kept.append(_Kept(topic, payload, acknowledged))
        self._more.set()

    def cut(self) -> None:
        """Cut the connection without a DISCONNECT, as a power cut or a lost radio link does."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    async def run(self) -> None:
        """Connect, and again when cut off, and publish, until cancelled."""
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                await self._connection()
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _connection(self) -> None:
        """One connection, until it is lost. Raises OSError, or TimeoutError when the broker does not answer."""
        answers: asyncio.Queue[int | None] = asyncio.Queue()
        client = self._client(answers)
        try:
            await asyncio.to_thread(client.connect, self._host, self._port, 30)
            client.loop_start()
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                if await answers.get() is None:
                    return
            found = client.socket()
            self._socket = found if isinstance(found, socket.socket) else None
            while await self._publish_next(client, answers):
                pass
        finally:
            self._socket = None
            client.disconnect()
            client.loop_stop()

    async def _publish_next(self, client: Client, answers: asyncio.Queue[int | None]) -> bool:
        """Publish the oldest message and wait for its acknowledgement; whether the connection still stands."""
        if not self._kept:
            self._more.clear()
            await self._more.wait()
        message = self._kept[0]
        info = client.publish(message.topic, message.payload, qos=1)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            if await answers.get() != info.mid:
                return False
        if self._kept and self._kept[0] is message:
            self._kept.popleft()
        message.acknowledged()
        return True

    def _client(self, answers: asyncio.Queue[int | None]) -> Client:
        """A client that puts into `answers`: 0 when connected, packet ids acknowledged, None when it is lost."""
        loop = asyncio.get_running_loop()
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )

        def answer(value: int | None) -> None:
            # In paho's thread; the loop may be gone when it is told of the end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(answers.put_nowait, value)

        def on_connect(_client: Client, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
            answer(None if code.is_failure else 0)

        client.on_connect = on_connect
        client.on_publish = lambda _client, _userdata, packet_id, *_: answer(packet_id)
        client.on_disconnect = lambda *_: answer(None)
        return client
