"""A digital input as the driver sees it: its level at the opening, then its edges, each with its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

EDGE_NUMBERS = 1 << 32
"""Edges are numbered from 1 in a request, modulo this (`line_seqno` of Linux's `struct gpio_v2_line_event`)."""


@dataclass(frozen=True, slots=True)
class LineRequest:
    """What is asked of a chip: one line, by offset or name.

    `pulses`: only edges to active are wanted; else both. `bias`: as-is, disabled, pull-up or pull-down.
    """

    line: int | str
    active_low: bool
    bias: str
    debounce_ms: int
    pulses: bool


class Edge(NamedTuple):
    """The line became active, or inactive. A number that is left out is an edge that was dropped before it was read."""

    number: int
    active: bool


class InputLine(Protocol):
    """One requested line."""

    async def open(self) -> bool:
        """Request the line; whether it is active now. Edges are kept from here on. Raises DeviceError."""

    async def read(self) -> list[Edge]:
        """Wait for edges, and return all that there are, oldest first. Raises DeviceError when the chip is gone."""

    async def close(self) -> None:
        """Release the line; idempotent."""
