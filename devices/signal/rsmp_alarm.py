"""RSMP alarms as `signal.alarm` (RSMP core 3.2.2, "Alarm messages").

A site tells an alarm whole, whatever made it tell: that it became active or inactive (`Issue`), was acknowledged,
suspended or resumed. `aTs` is the time of that change.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devices.signal.rsmp_message import Message

VALUES_MAX = 16
NAME_CHARACTERS_MAX = 32
TEXT_CHARACTERS_MAX = 120
VALUES_BYTES_MAX = 2048
"""So that the statement stays under 4 KiB, whatever the language of its texts."""

TIME_CHARACTERS_MAX = 40
IDENTIFIER_CHARACTERS_MAX = 64
_CATEGORY_CHARACTERS_MAX = 16
_CHANGES = {"issue", "acknowledge", "suspend", "resume", "request"}
_PRIORITY_CHARACTERS_MAX = 2


def is_told(message: Message) -> bool:
    """Whether an Alarm message tells an alarm; else it asks for something to be done with one."""
    return "aS" in message.body


def alarm_data(message: Message, controller: str) -> dict[str, Any]:
    """Data of a `signal.alarm`. Raises ValueError with a sentence when the message has not what it needs.

    Cases as written before 3.2 ("active", "Active", "InActive") count alike. Texts that are too long are cut or left
    out, and `cut` says so.
    """
    active, change = message.text("aS").lower(), message.text("aSp").lower()
    if active not in ("active", "inactive") or change not in _CHANGES:
        raise ValueError("an alarm tells neither active nor inactive, or not what happened to it")
    data: dict[str, Any] = {
        "controller": controller,
        "component": _identifier(message.text("cId")),
        "alarm": _identifier(message.text("aCId")),
        "state": active,
        "change": change,
        "acknowledged": message.text("ack").lower() == "acknowledged",
        "suspended": message.text("sS").lower() == "suspended",
    }
    if category := message.text("cat")[:_CATEGORY_CHARACTERS_MAX]:
        data["category"] = category
    priority = message.text("pri")
    if priority.isdecimal() and priority.isascii() and len(priority) <= _PRIORITY_CHARACTERS_MAX:
        data["priority"] = int(priority)
    if 0 < len(message.text("aTs")) <= TIME_CHARACTERS_MAX:
        data["device_time"] = message.text("aTs")
    text, is_cut = _shortened(message.text("xACId"), TEXT_CHARACTERS_MAX)
    if text:
        data["text"] = text
    values, are_cut = _values(message)
    if values:
        data["values"] = values
    if is_cut or are_cut:
        data["cut"] = True
    return data


def _identifier(text: str) -> str:
    if not 0 < len(text) <= IDENTIFIER_CHARACTERS_MAX:
        raise ValueError(f"an alarm's component or code is empty, or over {IDENTIFIER_CHARACTERS_MAX} characters")
    return text


def _values(message: Message) -> tuple[list[dict[str, str | None]], bool]:
    """Return values in the order of the wire, and whether any were cut. An empty value is null."""
    values: list[dict[str, str | None]] = []
    rows = message.rows("rvs")
    room = VALUES_BYTES_MAX
    any_cut = len(rows) > VALUES_MAX
    for row in rows[:VALUES_MAX]:
        name, name_cut = _shortened(_plain(row.get("n")), NAME_CHARACTERS_MAX)
        value, value_cut = _shortened(_plain(row.get("v")), TEXT_CHARACTERS_MAX)
        room -= len(name.encode()) + len(value.encode())
        if not name or room < 0:
            return values, True
        any_cut = any_cut or name_cut or value_cut
        values.append({"name": name, "value": value or None})
    return values, any_cut


def _plain(value: Any) -> str:
    """Text as it is; what 3.2 allows beside it (arrays of objects) as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _shortened(text: str, characters_max: int) -> tuple[str, bool]:
    return (text, False) if len(text) <= characters_max else (text[: characters_max - 1] + "…", True)
