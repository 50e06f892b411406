"""Status and health of a gateway as publications; the values come from `edge`."""

from __future__ import annotations

import enum
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from broker.topics import HEALTH, STATUS, gateway_topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.publication import Publication


class GatewayState(enum.StrEnum):
    """Whether the gateway has a session with the broker."""

    ONLINE = "online"
    OFFLINE = "offline"


def status_publication(city: str, gateway: str, state: GatewayState, boot: bytes, since: datetime) -> Publication:
    """The retained status; with OFFLINE it is also the Will.

    `boot` is the boot id (16 bytes), `since` the aware time of the gateway's start: the Will is fixed at CONNECT,
    so that it cannot tell when the gateway went.
    """
    body = {
        "state": state.value,
        "boot": boot.hex(),
        "since": since.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    return STATUS.publication(gateway_topic(STATUS, city, gateway), _json(body))


def health_publication(city: str, gateway: str, values: Mapping[str, Any], interval_s: float) -> Publication:
    """The retained health, which expires by itself after three intervals of `interval_s` seconds, rounded up.

    Raises ValueError for values that are no JSON (NaN, infinity) and TypeError for types that have none.
    """
    expiry_s = math.ceil(HEALTH.expiry_intervals * interval_s)
    return HEALTH.publication(gateway_topic(HEALTH, city, gateway), _json(values), expiry_s=expiry_s)


def _json(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="replace")  # a path that is not UTF-8 comes with lone surrogates, which UTF-8 has not
