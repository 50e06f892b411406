"""A paho-mqtt client, made for one CONNECT and dialled without blocking the loop or the process's end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from broker.publication import Publication
    from broker.url import BrokerUrl

DIAL_DEADLINE_S = 5.0
"""For each address that the host's name resolves to."""
KEEPALIVE_S = 30
PACKET_BYTES_MAX = 256 * 1024
"""What the broker may send us in one packet (announced as MQTT 5's Maximum Packet Size)."""


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What each CONNECT of a session says, and the window: how many acknowledgements may be open each way.

    Without `username` the broker is asked for anonymous access.
    """

    url: BrokerUrl
    client_id: str
    subscriptions: tuple[tuple[str, int], ...]
    will: Publication | None
    clean_start: bool
    session_expiry_s: int
    window: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def new_client(options: ConnectOptions) -> Client:
    """A paho client that acknowledges nothing by itself and does not reconnect."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = DIAL_DEADLINE_S
    client.max_inflight_messages_set(options.window)
    if options.username is not None:
        client.username_pw_set(options.username, options.password)
    will = options.will
    if will is not None:
        properties = publication_properties(will, PacketTypes.WILLMESSAGE)
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
    return client


def publication_properties(publication: Publication, packet: int) -> Properties | None:
    """The MQTT 5 properties of a PUBLISH or Will (`packet`, one of paho's PacketTypes)."""
    if publication.expiry_s is None and publication.content_type is None:
        return None
    properties = Properties(packet)  # type: ignore[no-untyped-call] # paho leaves it untyped
    if publication.expiry_s is not None:
        properties.MessageExpiryInterval = publication.expiry_s
    if publication.content_type is not None:
        properties.ContentType = publication.content_type
    return properties


async def dial(client: Client, options: ConnectOptions, given_up: threading.Event) -> None:
    """Open the socket and send CONNECT. Raises OSError or ValueError (a host that is no name).

    paho does this blocking, so it happens in a thread: a daemon, not the loop's executor, since asyncio and the
    interpreter wait for an executor's threads when they stop, and a resolver that hangs would keep a gateway from
    stopping in time. Set `given_up` when the outcome is not waited for any more.
    """
    loop = asyncio.get_running_loop()
    dialled: asyncio.Future[None] = loop.create_future()
    client.on_socket_open = _socket_opened(given_up)

    def settle(error: Exception | None) -> None:
        if dialled.done():
            return
        if error is None:
            dialled.set_result(None)
        else:
            dialled.set_exception(error)

    def connect() -> None:
        error: Exception | None = None
        try:
            client.connect(
                options.url.host,
                options.url.port,
                KEEPALIVE_S,
                clean_start=options.clean_start,
                properties=_connect_properties(options),
            )
        except (OSError, ValueError) as caught:
            error = caught
        # The loop may have been closed while the resolver hung: then nobody waits for the answer.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=connect, name="broker-dial", daemon=True).start()
    await dialled


def _socket_opened(given_up: threading.Event) -> Any:
    def on_socket_open(_client: Client, _userdata: Any, sock: socket.socket) -> None:
        """Called in the dialling thread, before CONNECT is sent."""
        if given_up.is_set():
            # A late CONNECT would take our own session over from the next connection.
            sock.close()
            raise ConnectionAbortedError("given up meanwhile")
        # Small packets that wait for each other's TCP acknowledgement cost 40 ms each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    return on_socket_open


def _connect_properties(options: ConnectOptions) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
    properties.SessionExpiryInterval = options.session_expiry_s
    properties.ReceiveMaximum = options.window
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties
