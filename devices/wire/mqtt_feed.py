"""What devices publish to an MQTT broker, as a driver reads it: one subscription on one connection.

Delivery is at least once. The broker keeps a session under a stable client id, and a QoS 1 message is acknowledged only
when all that was read from it is in the journal: what a gateway had not committed when it died is delivered again. So a
reading from a QoS 1 message has an id, by which the recorder knows what it has.

A retained message that comes because of the subscription may be of any age, and is left out.
"""

from __future__ import annotations

import asyncio
import collections
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.connection import Connection, ConnectionEndedError, Message
from broker.dial import ConnectOptions
from devices.driver import DeviceError
from devices.wire.secret_file import read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.driver import Reading, WireCounters
    from devices.wire.mqtt_settings import MqttSettings

PAYLOAD_BYTES_MAX = 64 * 1024
WINDOW = 64
"""QoS 1 messages under way without our acknowledgement; and QoS 0 messages that wait to be read."""
PASSWORD_BYTES_MAX = 4096


@dataclass(slots=True)
class _Delivery:
    message: Message
    open: int


class MqttFeed:
    """Messages of one topic filter. Like a serial line it does not reconnect: the supervisor opens it again.

    Only when the broker sent more than it may, the connection is renewed here, as that fetches the rest.
    """

    def __init__(self, settings: MqttSettings, device: str, topic: str, counters: WireCounters) -> None:
        self._settings = settings
        self._client_id = settings.client_id or f"wayside-{device}"
        self._topic = topic
        self._counters = counters
        self._connection: Connection | None = None
        self._watch: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._inbox: collections.deque[Message] = collections.deque()
        self._unsettled: dict[str | None, list[_Delivery]] = {}

    async def open(self) -> None:
        """Connect and subscribe, within 10 s. Raises DeviceError."""
        await self.close()
        self._inbox.clear()
        self._unsettled.clear()
        await self._connect()

    async def _connect(self) -> None:
        connection = self._connection = Connection(self._options(), self._deliver)
        try:
            await connection.open()
        except ConnectionEndedError as end:
            mend = "see username, password_file and the broker's access rules" if end.slow else "does the broker run?"
            raise DeviceError(f"{self._settings.url}: the broker {end}; {mend}") from end
        self._watch = asyncio.create_task(self._until_lost(connection), name=f"mqtt {self._client_id}")

    def _options(self) -> ConnectOptions:
        settings = self._settings
        return ConnectOptions(
            settings.url,
            self._client_id,
            ((self._topic, 1),),
            None,
            clean_start=False,
            session_expiry_s=settings.session_expiry_s,
            window=WINDOW,
            username=settings.username,
            password=self._password(),
        )

    def _password(self) -> str | None:
        path = self._settings.password_file
        if path is None:
            return None
        try:
            return read_secret("password_file", path, PASSWORD_BYTES_MAX).decode("utf-8")
        except UnicodeDecodeError:
            # Without its cause, which holds the password.
            raise DeviceError(f"password_file {path}: is not UTF-8 text; write the password anew") from None

    async def _until_lost(self, connection: Connection) -> None:
        try:
            await connection.until_lost()
        finally:
            self._arrived.set()

    async def read(self) -> Message:
        """The next message; those that had come before a loss are given first. Raises DeviceError when it is lost."""
        while not self._inbox:
            if self._watch is None:
                raise DeviceError(f"{self._settings.url}: is not open; open it first")
            if self._watch.done():
                await self._renew(self._watch)
            self._arrived.clear()
            if not self._inbox and not self._watch.done():
                await self._arrived.wait()
        return self._inbox.popleft()

    async def _renew(self, ended: asyncio.Task[None]) -> None:
        try:
            await ended
        except ConnectionEndedError as end:
            if not end.is_progress:
                # Mosquitto 2.0 takes a session over without a word to who had it.
                mend = f"if this repeats, see its log: perhaps another client calls itself {self._client_id}"
                raise DeviceError(f"{self._settings.url}: the broker {end}; {mend}") from end
        await self.close()
        await self._connect()

    def _deliver(self, message: Message) -> None:
        waits = message.qos == 0 and len(self._inbox) >= WINDOW
        if message.retained or waits or len(message.payload) > PAYLOAD_BYTES_MAX:
            if not message.retained:
                self._counters.errors += 1
                self._counters.bytes_dropped += len(message.payload)
                why = "came faster than it could be recorded" if waits else f"has over {PAYLOAD_BYTES_MAX} bytes"
                self._counters.last_error = f"a message {why}"
            message.acknowledge()
            return
        self._inbox.append(message)
        self._arrived.set()

    def settle_after(self, message: Message, readings: Sequence[Reading]) -> None:
        """Acknowledge `message` when each of `readings`, which were read from it, is settled; at once if it has none.

        Every reading must be settled in the end: the broker sends no more than the window ahead of that.
        """
        if not readings:
            message.acknowledge()
        elif message.qos > 0:
            delivery = _Delivery(message, len(readings))
            for reading in readings:
                self._unsettled.setdefault(reading.id, []).append(delivery)

    def settle(self, reading: Reading) -> None:
        """The outcome of `reading` is known: it is recorded, or never will be."""
        # The same reading may have come in several messages: it is recorded for all of them.
        for delivery in self._unsettled.pop(reading.id, ()):
            delivery.open -= 1
            if delivery.open == 0:
                delivery.message.acknowledge()

    async def close(self) -> None:
        """Disconnect, within a second; the broker keeps the session. Idempotent."""
        connection, self._connection = self._connection, None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})
            if not watch.cancelled():
                watch.exception()  # marks it as retrieved: the connection was lost, and is closed now
        if connection is not None:
            await connection.close()
