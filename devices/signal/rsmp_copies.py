"""What the relay keeps for its gateway: copies of messages, bounded, until the gateway has recorded them."""

from __future__ import annotations

import enum
import json
import struct
import threading
from collections import deque
from typing import Any

HEADER = struct.Struct("!BQI")
NOTICES_MAX = 64
_SUBSCRIPTIONS_MAX, _STATUSES_MAX = 8, 16


class Kind(enum.IntEnum):
    """Of a record: a notice of the relay's, or whose message was copied."""

    NOTICE = 0
    SITE = 1
    SUPERVISOR = 2


def _record(kind: Kind, number: int, content: bytes) -> bytes:
    return HEADER.pack(kind, number, len(content)) + content


def _notice(facts: dict[str, Any]) -> bytes:
    return _record(Kind.NOTICE, 0, json.dumps(facts).encode("ascii"))


class Past:
    """What was said before the oldest copy that is kept, and still counts.

    That is who the site is, what was subscribed to, and how the signal groups stood.
    """

    def __init__(self) -> None:
        self._version: list[bytes] = []
        self._subscriptions: deque[bytes] = deque(maxlen=_SUBSCRIPTIONS_MAX)
        self._statuses: deque[bytes] = deque(maxlen=_STATUSES_MAX)

    def add(self, record: bytes) -> None:
        """A copy that is not kept any more; the past of a link ends where the next begins."""
        kind, _, _ = HEADER.unpack_from(record)
        content = record[HEADER.size :]
        if kind == Kind.SITE and b'"Version"' in content:
            self._version = [_record(Kind.SITE, 0, content)]
            self._subscriptions.clear()
            self._statuses.clear()
        elif kind == Kind.SUPERVISOR and b'"StatusSubscribe"' in content:
            self._subscriptions.append(_record(Kind.SUPERVISOR, 0, content))
        elif kind == Kind.SITE and b'"S0001"' in content:
            self._statuses.append(_record(Kind.SITE, 0, content))

    def records(self) -> list[bytes]:
        """As records with the number 0."""
        return [*self._version, *self._subscriptions, *self._statuses]


class Copies:
    """At most `keep_bytes` of copied messages, numbered from 1; the oldest go first, whole, and are counted.

    All calls are from threads. A gateway that attaches gets a hello, the past (number 0), everything that is kept, and
    from then on what comes. `connections`: how many sites are connected.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._changed = threading.Condition()
        self._kept: dict[int, bytes] = {}
        self._kept_bytes = self._newest = self._sent = 0
        self._past = Past()
        self._dropped_messages = self._dropped_bytes = 0
        self._is_attached = False
        self._first: deque[bytes] = deque()
        self._notices: deque[bytes] = deque(maxlen=NOTICES_MAX)
        self.connections = 0

    def add(self, kind: Kind, message: bytes) -> None:
        """Keep a copy of a message."""
        with self._changed:
            self._newest += 1
            record = self._kept[self._newest] = _record(kind, self._newest, message)
            self._kept_bytes += len(record)
            while self._kept_bytes > self._keep_bytes:
                oldest = next(iter(self._kept))
                octets = self._forget(oldest)
                if oldest > self._sent:
                    self._dropped_messages += 1
                    self._dropped_bytes += octets
            self._changed.notify_all()

    def lost(self, messages: int, octets: int) -> None:
        """So much was too long to be copied."""
        if messages or octets:
            with self._changed:
                self._dropped_messages += messages
                self._dropped_bytes += octets

    def connected(self) -> None:
        """A site is connected to its supervisor."""
        with self._changed:
            self.connections += 1
        self.tell({"notice": "connected", "connections": self.connections})

    def disconnected(self) -> None:
        """A site's connection has ended."""
        with self._changed:
            self.connections -= 1
        self.tell({"notice": "disconnected", "connections": self.connections})

    def tell(self, notice: dict[str, Any]) -> None:
        """Give the gateway a notice, after the copies; none that is not attached."""
        with self._changed:
            if self._is_attached:
                self._notices.append(_notice(notice))
                self._changed.notify_all()

    def attach(self, hello: dict[str, Any]) -> None:
        """A gateway came: begin anew with what is kept."""
        with self._changed:
            self._is_attached = True
            self._rewind()
            self._notices.clear()
            facts = {"connections": self.connections, "kept": len(self._kept)}
            self._first = deque((_notice(hello | facts), *self._past.records()))

    def detach(self) -> None:
        """The gateway went; what it did not settle is kept for the next."""
        with self._changed:
            self._is_attached = False
            self._rewind()
            self._changed.notify_all()

    def settle(self, number: int) -> None:
        """The gateway needs this copy and those before it no more."""
        with self._changed:
            while self._kept and (oldest := next(iter(self._kept))) <= min(number, self._sent):
                self._forget(oldest)

    def next_record(self) -> bytes:
        """The next record for the gateway, waiting for it; empty once it is detached."""
        with self._changed:
            while True:
                if not self._is_attached:
                    return b""
                if record := self._take():
                    return record
                self._changed.wait()

    def _take(self) -> bytes:
        if self._first:
            return self._first.popleft()
        if self._dropped_messages or self._dropped_bytes:
            facts = {"notice": "dropped", "messages": self._dropped_messages, "bytes": self._dropped_bytes}
            self._dropped_messages = self._dropped_bytes = 0
            return _notice(facts)
        while self._sent < self._newest:
            self._sent += 1
            if record := self._kept.get(self._sent):
                return record
        return self._notices.popleft() if self._notices else b""

    def _rewind(self) -> None:
        self._sent = next(iter(self._kept), self._newest + 1) - 1

    def _forget(self, number: int) -> int:
        record = self._kept.pop(number)
        self._kept_bytes -= len(record)
        self._past.add(record)
        return len(record) - HEADER.size
