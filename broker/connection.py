"""One MQTT 5 connection: a fresh paho-mqtt client on the asyncio loop, from dialling to the loss of its socket.

paho parses and writes packets; this class owns the socket's place in the loop, the window and the deadlines. paho's
own queues never hold more than the window, and die with the connection: the journal is the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.dial import PACKET_BYTES_MAX, ConnectOptions, dial, new_client, publication_properties
from broker.publication import NotConnected, Publication, PublishRefused, PublishTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

CONNECT_DEADLINE_S = 10.0
"""From dialling to the last SUBACK."""
PUBLISH_DEADLINE_S = 20.0
DISCONNECT_DEADLINE_S = 1.0
TICK_S = 1.0
UNACKNOWLEDGED_WINDOWS = 2
"""Rumqttd takes no notice of Receive Maximum and sends up to 100."""
PUBLISH_HEADER_BYTES_MAX = 32
"""More than PUBLISH adds to topic, content type and payload with the properties that we use."""

SESSION_TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95

# What paho's parser raises on bytes that are no MQTT, over its versions: its own errors are ValueError's siblings.
_PAHO_CHOKES = (ValueError, LookupError, TypeError, AttributeError, AssertionError, struct.error, OSError)


class ConnectionEndedError(Exception):
    """A connection that could not be made, or was lost.

    `slow`: the same will happen again, so retry slowly. `is_progress`: it did its work, so the next one may come soon.
    """

    def __init__(self, sentence: str, *, slow: bool = False, is_progress: bool = False) -> None:
        super().__init__(sentence)
        self.slow = slow
        self.is_progress = is_progress


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A received message; `qos` is that of its delivery.

    `retained`: the broker had kept it, and sends it because of the subscription, however old it is. `packet_id` stays
    the same when a session's broker delivers a QoS 1 message again (MQTT 5, 4.4).
    """

    topic: str
    payload: bytes
    content_type: str | None
    qos: int
    retained: bool
    packet_id: int
    _connection: Connection

    def acknowledge(self) -> None:
        """Send the PUBACK: only after what the message says is durable.

        Nothing happens the second time, or when the connection is gone (the broker will deliver the message again).
        """
        self._connection.acknowledge(self.packet_id, self)


class Connection:
    """One connection. `open` once, then `publish` and `until_lost`, and `close` in any case.

    Received messages go to `deliver`, in the loop, in order; `deliver` must not block. Not thread-safe.
    """

    def __init__(self, options: ConnectOptions, deliver: Callable[[Message], None]) -> None:
        self._options = options
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._client = new_client(options)
        self._socket: socket.socket | None = None
        self._given_up = threading.Event()
        self._end: ConnectionEndedError | None = None
        self._lost = asyncio.Event()
        self._connack: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._suback: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._slots = asyncio.Semaphore(options.window)
        self._in_flight: dict[int, asyncio.Future[ReasonCode]] = {}
        self._unacknowledged: dict[int, Message] = {}
        self._overrun = False
        self._packet_bytes_max: int | None = None

    async def open(self) -> None:
        """Dial, CONNECT and SUBSCRIBE. Raises ConnectionEndedError."""
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await self._dial()
                self._attach()
                await self._connected()
                await self._subscribed()
        except TimeoutError as error:
            raise ConnectionEndedError(f"does not answer within {CONNECT_DEADLINE_S:g} s") from error

    async def _dial(self) -> None:
        try:
            await dial(self._client, self._options, self._given_up)
        except (OSError, ValueError) as error:
            raise ConnectionEndedError(f"cannot be reached ({error})") from error

    def _attach(self) -> None:
        client, sock = self._client, self._client.socket()
        if not isinstance(sock, socket.socket):
            raise ConnectionEndedError("closes the connection before CONNECT is sent")
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        self._socket = sock
        self._loop.add_reader(sock, self._read)
        if client.want_write():
            self._write()

    async def _connected(self) -> None:
        answer = await self._connack
        if not answer.is_failure:
            return
        hint = "; Wayside needs a broker with MQTT 5" if answer.getName() == "Unsupported protocol version" else ""
        raise ConnectionEndedError(
            f"refuses the connection: {answer.getName()} (0x{answer.value:02x}){hint}", slow=True
        )

    async def _subscribed(self) -> None:
        wanted = self._options.subscriptions
        if not wanted:
            return
        self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in wanted])
        answers = await self._suback
        if len(answers) != len(wanted):
            raise ConnectionEndedError("answers SUBSCRIBE with another number of reason codes", slow=True)
        for (topic, _), answer in zip(wanted, answers, strict=True):
            if answer.is_failure:
                raise ConnectionEndedError(
                    f"refuses the subscription to {topic}: {answer.getName()} (0x{answer.value:02x})", slow=True
                )

    async def publish(self, publication: Publication) -> None:
        """Publish, and wait for the PUBACK (QoS 1) or the hand-over to the socket (QoS 0).

        Raises the errors of `broker.publication`, and ValueError for a topic that cannot be published to.
        """
        self._require_fitting(publication)
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE_S):
                await self._slots.acquire()
                answer = await self._hand_over(publication)
        except TimeoutError as error:
            # MQTT 5 (4.4) allows no second PUBLISH on the same connection: only a new one can settle this.
            sentence = f"does not acknowledge {publication.topic} within {PUBLISH_DEADLINE_S:g} s"
            self._lose(sentence)
            raise PublishTimeout(f"the broker {sentence}") from error
        if answer.is_failure:
            raise PublishRefused(publication.topic, answer.value, answer.getName())

    def _require_fitting(self, publication: Publication) -> None:
        size = len(publication.topic.encode()) + len(publication.payload) + len(publication.content_type or "")
        if self._packet_bytes_max is not None and size + PUBLISH_HEADER_BYTES_MAX > self._packet_bytes_max:
            # Sending it would end the connection, again and again.
            raise PublishRefused(publication.topic, PACKET_TOO_LARGE, "Packet too large")

    def _hand_over(self, publication: Publication) -> asyncio.Future[ReasonCode]:
        """Give paho one publication, with a slot of the window taken; the slot is freed by its acknowledgement.

        Not by its caller, who may have been cancelled while the broker still counts it.
        """
        try:
            packet_id = self._enqueue(publication)
        except (NotConnected, ValueError):
            self._slots.release()
            raise
        acknowledged: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._in_flight[packet_id] = acknowledged
        return acknowledged

    def _enqueue(self, publication: Publication) -> int:
        if self._end is not None:
            raise NotConnected(f"the connection to the broker is lost: it {self._end}")
        properties = publication_properties(publication, PacketTypes.PUBLISH)
        topic, payload = publication.topic, publication.payload
        info = self._client.publish(topic, payload, publication.qos, publication.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise NotConnected(f"paho-mqtt does not take {topic} ({MQTTErrorCode(info.rc).name})")
        return info.mid

    def acknowledge(self, packet_id: int, message: Message) -> None:
        """Send the PUBACK of `message`, once; see Message.acknowledge."""
        # The identity check matters: after its PUBACK the broker uses the packet id for another message.
        if self._end is None and self._unacknowledged.get(packet_id) is message:
            del self._unacknowledged[packet_id]
            self._client.ack(packet_id, message.qos)
            if self._overrun and not self._unacknowledged:
                self._lose("sent more than Receive Maximum allows; a new connection fetches the rest", is_progress=True)

    async def until_lost(self) -> None:
        """Keep the connection alive until it is lost; always raises ConnectionEndedError."""
        while self._end is None:
            self._guarded(self._client.loop_misc)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._lost.wait()
        raise self._end

    async def close(self) -> None:
        """DISCONNECT if connected (the broker then forgets the Will), within a deadline, and close the socket."""
        self._given_up.set()
        try:
            if self._end is None and self._client.is_connected():
                self._client.disconnect()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DISCONNECT_DEADLINE_S):
                        await self._lost.wait()
        finally:
            self._lose("is no longer wanted")

    def _lose(self, sentence: str, *, slow: bool = False, is_progress: bool = False) -> None:
        """End the connection for one reason, the first; every waiter learns it now."""
        if self._end is not None:
            return
        self._end = ConnectionEndedError(sentence, slow=slow, is_progress=is_progress)
        self._detach()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        for waiter in (self._connack, self._suback):
            if not waiter.done():
                waiter.set_exception(self._end)
                waiter.exception()  # marks it as retrieved: nobody may be waiting
        for acknowledged in self._in_flight.values():
            self._slots.release()
            if not acknowledged.done():
                acknowledged.set_exception(NotConnected(f"the connection to the broker is lost: it {sentence}"))
        self._in_flight.clear()
        self._unacknowledged.clear()
        self._lost.set()

    def _detach(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None

    def _read(self) -> None:
        self._guarded(self._client.loop_read)
        # paho bounds neither a packet's size nor the QoS 2 messages that it keeps; a broker is not trusted with memory.
        if self._client._in_packet["remaining_length"] > PACKET_BYTES_MAX:  # noqa: SLF001 - not public
            self._lose(f"sends a packet of more than {PACKET_BYTES_MAX} bytes")
        if self._client._in_messages:  # noqa: SLF001 - not public
            self._lose("sends QoS 2, which was not subscribed to")

    def _write(self) -> None:
        self._guarded(self._client.loop_write)

    def _guarded(self, call: Callable[[], MQTTErrorCode]) -> None:
        try:
            call()
        except _PAHO_CHOKES as error:
            self._lose(f"sends what paho-mqtt cannot read ({type(error).__name__}: {error})")

    # paho's callbacks: they note what happened and wake who waits; calling paho back from one could deadlock.

    def _on_socket_close(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        self._detach()

    def _on_register_write(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        if self._socket is not None:
            self._loop.add_writer(self._socket, self._write)

    def _on_unregister_write(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket)

    def _on_connect(
        self, _client: Client, _userdata: Any, _flags: ConnectFlags, answer: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connack.done():
            return
        self._packet_bytes_max = getattr(properties, "MaximumPacketSize", None)
        window = self._options.window
        self._slots = asyncio.Semaphore(min(window, getattr(properties, "ReceiveMaximum", window)))
        self._connack.set_result(answer)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        flags: DisconnectFlags,
        answer: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server and answer.value == SESSION_TAKEN_OVER:
            other = f"another client that calls itself {self._options.client_id}"
            self._lose(f"gave the session to {other} (0x{SESSION_TAKEN_OVER:x}); client ids must be unique", slow=True)
        elif flags.is_disconnect_packet_from_server:
            self._lose(f"disconnects: {answer.getName()} (0x{answer.value:02x})")
        elif self._connack.done():
            self._lose("closes the connection")
        else:
            self._lose("closes the connection without an answer to CONNECT; does it speak MQTT 5?")

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, answers: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if not self._suback.done():
            self._suback.set_result(answers)

    def _on_publish(
        self, _client: Client, _userdata: Any, mid: int, answer: ReasonCode, _properties: Properties | None
    ) -> None:
        acknowledged = self._in_flight.pop(mid, None)
        if acknowledged is None:
            return
        self._slots.release()
        if not acknowledged.done():
            acknowledged.set_result(answer)

    def _on_message(self, _client: Client, _userdata: Any, received: MQTTMessage) -> None:
        content_type = getattr(received.properties, "ContentType", None)
        message = Message(
            received.topic, bytes(received.payload), content_type, received.qos, received.retain, received.mid, self
        )
        if message.qos > 0:
            if len(self._unacknowledged) >= UNACKNOWLEDGED_WINDOWS * self._options.window:
                # Mosquitto 2.0 takes no notice of Receive Maximum when it delivers what a session has queued. Ending
                # the connection here would bring the same messages again, for ever: it ends when these are done.
                self._overrun = True
                return
            self._unacknowledged[received.mid] = message
        self._deliver(message)
