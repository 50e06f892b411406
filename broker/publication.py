"""What is published, and how a publish can fail.

SessionError               a publish that was not acknowledged
├── NotConnected           there is no connection, or it was lost meanwhile: outcome unknown, publish again
├── PublishRefused         the broker refuses it (code, name): the same publish will be refused again
└── PublishTimeout         no acknowledgement in time: outcome unknown; the connection is dropped, publish again
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to publish. `qos` is 0 or 1; `expiry_s` is MQTT 5's message expiry interval, in whole seconds."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    content_type: str | None = None


class SessionError(Exception):
    """A publish that the broker did not acknowledge. The message is one sentence."""


class NotConnected(SessionError):  # noqa: N818 - a state the caller waits out rather than a fault
    """There is no connection, or it was lost before the acknowledgement: whether the broker has it is unknown."""


class PublishRefused(SessionError):  # noqa: N818 - named after the answer of the broker
    """The broker answers with a reason code of 0x80 or more (MQTT 5, 3.4.2.1), or would: `code` and `name`."""

    def __init__(self, topic: str, code: int, name: str) -> None:
        super().__init__(f"the broker refuses {topic}: {name} (0x{code:02x}); see its access rules and limits")
        self.code = code
        self.name = name


class PublishTimeout(SessionError):  # noqa: N818 - named after what happened, as TimeoutError is taken
    """No acknowledgement within the deadline: whether the broker has it is unknown."""
