"""One end of an RSMP connection: JSON objects, each ended by a form feed, over TCP."""

from __future__ import annotations

import json
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

BUFFER_BYTES_MAX = 1 << 20
RECENT_MAX = 10_000
_CHUNK_BYTES = 4096


class RecentPackets:
    """What one end sent and received of late, oldest first."""

    def __init__(self) -> None:
        self.sent: deque[bytes] = deque(maxlen=RECENT_MAX)
        self.received: deque[bytes] = deque(maxlen=RECENT_MAX)


def w3c(time: datetime) -> str:
    """RSMP's timestamp of a UTC time: three decimal places."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def new_message(kind: str, **members: Any) -> dict[str, Any]:
    """A message with a new mId (a version 4 UUID)."""
    return {"mType": "rSMsg", "type": kind, "mId": str(uuid.uuid4()), **members}


def ack_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """MessageAck of a message."""
    return {"mType": "rSMsg", "type": "MessageAck", "oMId": message["mId"]}


def not_ack_of(message: Mapping[str, Any], why: str) -> dict[str, Any]:
    """MessageNotAck of a message."""
    return {"mType": "rSMsg", "type": "MessageNotAck", "oMId": message["mId"], "rea": why}


def packed(message: Mapping[str, Any]) -> bytes:
    """As it goes over the wire."""
    return json.dumps(message).encode() + b"\f"


async def packets(reader: StreamReader) -> AsyncIterator[bytes]:
    """What comes, packet by packet, without form feeds; ends with the connection. Over 1 MiB it gives up."""
    rest = b""
    while len(rest) < BUFFER_BYTES_MAX:
        try:
            data = await reader.read(_CHUNK_BYTES)
        except OSError:
            return
        if not data:
            return
        *whole, rest = (rest + data).split(b"\f")
        for packet in whole:
            if packet.strip():
                yield packet


def understood(packet: bytes) -> dict[str, Any] | None:
    """The message in a packet, or None for garbage."""
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("mType") == "rSMsg" else None


def hang_up(writer: StreamWriter) -> None:
    """Cut the connection, whatever is still to be sent."""
    writer.transport.abort()
