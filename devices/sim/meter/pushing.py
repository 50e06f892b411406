"""A meter that pushes frames over a pseudo-terminal by itself: what DSMR, SML and their like have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from devices.sim.faults import Faults
from devices.sim.interval import each_interval
from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth

UNPLUGGED_S = 0.3


class Frames(Protocol):
    """What a meter says, one frame after the other."""

    def frame(self, now: datetime) -> tuple[bytes, list[dict[str, Any]]]:
        """The next frame at `now`, and the `meter.reading` data that a gateway is to record of it."""


class PushingMeter:
    """Sends a frame every interval, whether anybody reads or not."""

    def __init__(self, placement: Placement, truth: Truth, frames: Frames) -> None:
        self._placement, self._truth, self._frames = placement, truth, frames
        self._faults = Faults(placement.faults, placement.seed)
        self._terminal: PseudoTerminal | None = None

    async def start(self) -> None:
        """Plug in: a link in the placement's folder, named as the device, leads to the port."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)

    @property
    def port(self) -> str:
        """The link's path; it stays the same when the device is replugged under another name."""
        return str(self._placement.folder / self._placement.id)

    async def run(self) -> None:
        """Push until cancelled."""
        assert self._terminal is not None, "not started"
        try:
            await each_interval(self._placement.real_interval_s, self._push, seed=self._placement.seed)
        finally:
            self._terminal.unplug()

    async def _push(self) -> None:
        assert self._terminal is not None
        frame, readings = self._frames.frame(self._placement.clock.now())
        damaged, whole = self._faults.apply(frame)
        whole = self._terminal.write(damaged) == len(damaged) and whole
        unplugs = self._faults.unplugs()
        for reading in readings:
            # A plug that is pulled right after the last byte may take the frame with it.
            self._truth.add(self._placement.id, "meter.reading", reading, sure=whole and not unplugs)
        if unplugs:
            self._terminal.unplug()
            await asyncio.sleep(UNPLUGGED_S)
            self._terminal.replug()
