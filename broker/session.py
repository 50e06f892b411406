"""The one MQTT 5 session of a process: it connects for ever, and hides no loss.

`publish` returns only when the broker has acknowledged; whatever is not acknowledged is told to the caller, who has
the journal and publishes again. Nothing is queued for a broker that is away.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import math
import random
from typing import TYPE_CHECKING

from broker.connection import Connection, ConnectionEndedError, Message
from broker.dial import ConnectOptions
from broker.publication import NotConnected, Publication, PublishRefused, PublishTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from broker.url import BrokerUrl

PAYLOAD_BYTES_MAX = 64 * 1024
"""Of a received message; nothing that we subscribe to is larger."""
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
STABLE_S = 10.0
"""A connection that lasted this long ends the series of failures that the backoff counts."""

log = logging.getLogger("wayside.broker")


class Session:
    """One client id at one broker. `run` is its one task; everything else may be called from any task of that loop.

    `subscriptions` are (filter, QoS 0 or 1). `on_connect` is published on each connection, in order, before it counts
    as connected; a refusal of one is told and does not end the connection. `window` bounds the un-acknowledged
    messages each way. With `clean_start` False the broker delivers again what was not acknowledged, for
    `session_expiry_s` after a loss; so duplicates happen.
    """

    def __init__(
        self,
        url: BrokerUrl,
        client_id: str,
        *,
        subscriptions: Sequence[tuple[str, int]] = (),
        will: Publication | None = None,
        on_connect: Sequence[Publication] = (),
        clean_start: bool = False,
        session_expiry_s: int = 3600,
        window: int = 64,
    ) -> None:
        self.reconnects = 0
        self.last_error = ""
        self.dropped = 0
        """Received messages not given to `messages`: over 64 KiB, or QoS 0 faster than they are taken."""
        self._options = ConnectOptions(
            url, client_id, tuple(subscriptions), will, clean_start, session_expiry_s, window
        )
        self._on_connect = tuple(on_connect)
        self._connection: Connection | None = None
        self._count = 0
        self._connected_s = math.inf
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._told = ""
        self._arrived = asyncio.Event()
        # A connection delivers at most two windows before it is acknowledged; the rest may be left from former ones.
        # What would exceed that is the oldest of those, which the broker delivers again.
        self._inbox: collections.deque[Message] = collections.deque(maxlen=4 * window)

    async def run(self) -> None:
        """Connect and reconnect for ever, until cancelled; then DISCONNECT within a second (no Will is sent)."""
        failures = 0
        while True:
            self._connected_s = math.inf
            try:
                await self._connect_once()
            except ConnectionEndedError as end:
                lasted_s = asyncio.get_running_loop().time() - self._connected_s
                failures = 0 if lasted_s >= STABLE_S or end.is_progress else failures + 1
                self._tell(f"{self._options.url} {end}")
                await asyncio.sleep(_backoff_s(failures, slow=end.slow))

    async def _connect_once(self) -> None:
        connection = Connection(self._options, self._deliver)
        try:
            await connection.open()
            await self._announce(connection)
            self._count += 1
            self.reconnects = self._count - 1
            self._connection = connection
            self._connected_s = asyncio.get_running_loop().time()
            self._down.clear()
            self._up.set()
            self._told = ""
            log.info("broker %s: connected", self._options.url, extra=self._fields())
            await connection.until_lost()
        finally:
            self._connection = None
            self._up.clear()
            self._down.set()
            await connection.close()

    async def _announce(self, connection: Connection) -> None:
        for publication in self._on_connect:
            try:
                await connection.publish(publication)
            except PublishRefused as error:
                self._tell(str(error))
            except (NotConnected, PublishTimeout):
                await connection.until_lost()

    def _tell(self, sentence: str) -> None:
        """Log a failure when it is another than the last; `last_error` keeps it for health."""
        self.last_error = sentence
        if sentence != self._told:
            self._told = sentence
            log.warning("broker %s", sentence, extra=self._fields())

    def _fields(self) -> dict[str, object]:
        return {"broker": str(self._options.url), "client_id": self._options.client_id, "connection": self._count}

    async def publish(self, publication: Publication) -> None:
        """Publish and wait for the PUBACK (QoS 1), or for the hand-over to the socket (QoS 0); a deadline holds.

        Raises NotConnected at once when there is no connection, or when it is lost meanwhile; PublishRefused;
        PublishTimeout; ValueError for a topic with wildcards. A PUBACK is no promise of durability.
        """
        if self._connection is None:
            raise NotConnected(f"there is no connection to {self._options.url}")
        await self._connection.publish(publication)

    @property
    def connection(self) -> int:
        """The number of the current connection, from 1; 0 when not connected."""
        return self._count if self._connection is not None else 0

    async def wait_connected(self) -> int:
        """Wait until connected and subscribed; the number of that connection."""
        while self._connection is None:
            await self._up.wait()
        return self._count

    async def wait_disconnected(self, connection: int) -> None:
        """Wait until the connection of that number is over."""
        while self.connection == connection and connection > 0:
            await self._down.wait()

    async def messages(self) -> AsyncIterator[Message]:
        """All received messages in the order of their arrival, for ever; for one consumer.

        The broker sends no more than the window (twice that ends the connection) until messages are acknowledged, so
        that a slow consumer loses nothing.
        """
        while True:
            while not self._inbox:
                self._arrived.clear()
                await self._arrived.wait()
            yield self._inbox.popleft()

    def _deliver(self, message: Message) -> None:
        oversized = len(message.payload) > PAYLOAD_BYTES_MAX
        # Receive Maximum bounds QoS 1 only.
        if oversized or (message.qos == 0 and len(self._inbox) >= self._options.window):
            self.dropped += 1
            message.acknowledge()
            return
        self._inbox.append(message)
        self._arrived.set()


def _backoff_s(failures: int, *, slow: bool) -> float:
    """Full jitter, so that a city of gateways does not return at once; a refusal is tried again slowly."""
    if slow:
        return random.uniform(BACKOFF_MAX_S / 2, BACKOFF_MAX_S)  # noqa: S311 - jitter, not a secret
    ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures, 16))
    return random.uniform(0, ceiling_s)  # noqa: S311 - jitter, not a secret
