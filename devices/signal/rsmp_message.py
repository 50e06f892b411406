"""RSMP messages: JSON of one object, to and from bytes (RSMP core 3.1.2 to 3.2.2, "Basic structure").

Numbers are kept as their own text: RSMP says nearly all of its values as strings, and a number that stands where a
string should is then the same value, exact, of any size.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.signal.rsmp_splitter import FORM_FEED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

ID_CHARACTERS_MAX = 64
_TYPE_CHARACTERS_MAX = 32
_ACKNOWLEDGEMENTS = ("MessageAck", "MessageNotAck")


class MessageError(Exception):
    """Bytes that are no RSMP message. The text quotes nothing of them: commands carry security codes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is its mId, or the oMId of an acknowledgement: the id of what is acknowledged."""

    type: str
    id: str
    body: dict[str, Any]

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it is the one type that is never acknowledged itself."""
        return self.type in _ACKNOWLEDGEMENTS

    def text(self, name: str) -> str:
        """The member `name` if it is text, else an empty one."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The objects in the array `name`; none if it is no array."""
        value = self.body.get(name)
        return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def decode_message(raw: bytes) -> Message:
    """The message in these bytes. Raises MessageError."""
    try:
        text = raw.decode("utf-8")
        body = json.loads(
            text, object_pairs_hook=_members, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
        if "\\u" in text:
            json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MessageError("a message holds a lone surrogate, which is no character") from None
    except UnicodeDecodeError as error:
        raise MessageError(f"a message is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise MessageError(f"a message is not JSON (character {error.pos})") from None
    except RecursionError:
        raise MessageError("a message is nested too deeply") from None
    if not isinstance(body, dict) or body.get("mType") != "rSMsg":
        raise MessageError('a message is no object with "mType": "rSMsg"')
    kind = body.get("type")
    if not isinstance(kind, str) or not 1 <= len(kind) <= _TYPE_CHARACTERS_MAX:
        raise MessageError("a message has no usable type")
    name = "oMId" if kind in _ACKNOWLEDGEMENTS else "mId"
    message_id = body.get(name)
    if not isinstance(message_id, str) or not 1 <= len(message_id) <= ID_CHARACTERS_MAX:
        raise MessageError(f"a message has no usable {name}")
    return Message(kind, message_id, body)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise MessageError("a message says one member twice")
    return table


def _refuse_constant(_: str) -> Any:
    raise MessageError("a message holds a number that JSON has not")


def timestamp(now: datetime) -> str:
    """A time (UTC) as RSMP writes it: W3C dateTime, three decimal places, Z."""
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"


def acknowledgement(message_id: str) -> bytes:
    """MessageAck of the message with this id."""
    return _encode({"type": "MessageAck", "oMId": message_id})


def refusal(message_id: str, reason: str) -> bytes:
    """MessageNotAck of the message with this id."""
    return _encode({"type": "MessageNotAck", "oMId": message_id, "rea": reason})


@dataclass(frozen=True, slots=True)
class Request:
    """A message of our own that the site has to acknowledge."""

    type: str
    id: str
    data: bytes


def version(rsmp: Iterable[str], site_ids: Iterable[str], sxl: str) -> Request:
    """Version: the RSMP versions we support, the site's ids and the signal exchange list's version."""
    return _request(
        "Version",
        {"RSMP": [{"vers": one} for one in rsmp], "siteId": [{"sId": one} for one in site_ids], "SXL": sxl},
    )


def watchdog(now: datetime) -> Request:
    """Watchdog with our time."""
    return _request("Watchdog", {"wTs": timestamp(now)})


def subscription(component: str, code: str, name: str, *, has_send_on_change: bool) -> Request:
    """StatusSubscribe to one value of a component, told when it changes.

    Since 3.1.5 that is `sOc`; before, an update rate of 0 says it.
    """
    wanted: dict[str, Any] = {"sCI": code, "n": name, "uRt": "0"}
    if has_send_on_change:
        wanted["sOc"] = True
    return _request("StatusSubscribe", {"ntsOId": "", "xNId": "", "cId": component, "sS": [wanted]})


def _request(kind: str, members: dict[str, Any]) -> Request:
    message_id = str(uuid.uuid4())
    return Request(kind, message_id, _encode({"type": kind, "mId": message_id, **members}))


def _encode(members: dict[str, Any]) -> bytes:
    text = json.dumps({"mType": "rSMsg", **members}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") + FORM_FEED
