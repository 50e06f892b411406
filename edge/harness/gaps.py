"""When a journal says that it heard nothing of a device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verdict import Recorded

SLACK_S = 1.0
"""How long before a loss is noticed a reading may have been lost with it, and after its end one may come too early."""

Gap = tuple[float, float]


def gaps_of(device: str, journal: Sequence[Recorded]) -> list[Gap]:
    """When the journal says that it heard nothing of a device, as intervals of UTC seconds, with slack."""
    gaps: list[Gap] = []
    since: float | None = -math.inf
    last = -math.inf
    for event in journal:
        begins = _loss_begins(device, event, last)
        if begins is not None:
            since = begins if since is None else since
        elif since is not None and event.device == device and event.type != "device.passport":
            gaps.append((since - SLACK_S, event.at + SLACK_S))
            since = None
        last = event.at
    # A journal that ends without `gateway.stop` tells nothing of what came after its last event.
    gaps.append(((last if since is None else since) - SLACK_S, math.inf))
    return gaps


def _loss_begins(device: str, event: Recorded, last: float) -> float | None:
    """Since when the device is not heard, if this event says so; `last`: when the event before it was."""
    if event.type == "gateway.start":
        return last
    if event.type == "gateway.stop":
        return event.at
    if event.device == device and event.type == "device.health" and event.data.get("state") == "offline":
        return event.at
    return None
