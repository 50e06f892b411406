"""A line device on a pseudo-terminal: what the simulated validators and terminals have in common."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from devices.sim.faults import Faults
from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth
    from devices.sim.line_device import LineDevice

_TICK_S = 0.02
_UNPLUGGED_S = 0.3


class LineTerminal:
    """Says something every interval, and again until it is answered.

    It is sure in the truth once it is acknowledged; without an answer nobody knows.
    """

    def __init__(self, placement: Placement, truth: Truth, device: LineDevice) -> None:
        self._placement, self._truth, self._device = placement, truth, device
        self._faults = Faults(placement.faults, placement.seed)
        self._numbers: dict[str, int] = {}
        self._terminal: PseudoTerminal | None = None

    async def start(self) -> None:
        """Plug in."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {"driver": "jsonl", "port": str(self._placement.folder / self._placement.id)}

    async def run(self) -> None:
        """Go on until cancelled."""
        assert self._terminal is not None, "not started"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(self._terminal))
                tasks.create_task(self._receive(self._terminal))
        finally:
            self._terminal.unplug()

    async def _send(self, terminal: PseudoTerminal) -> None:
        next_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            lines = self._device.resend(now_s)
            if now_s >= next_s:
                next_s = max(next_s + self._placement.real_interval_s, now_s)
                lines.append(self._say(now_s))
            for line in lines:
                # A line that is cut off or damaged has no answer, and so is sent again.
                terminal.write(self._faults.apply(line)[0])
                if self._faults.unplugs():
                    terminal.unplug()
                    await asyncio.sleep(_UNPLUGGED_S)
                    terminal.replug()
            await asyncio.sleep(max(0.0, min(_TICK_S, next_s - time.monotonic())))

    def _say(self, now_s: float) -> bytes:
        line = self._device.say(now_s)
        line_id, data = next(reversed(self._device.sent.items()))
        self._numbers[line_id] = self._truth.add(self._placement.id, self._device.event, data, sure=False)
        return line

    async def _receive(self, terminal: PseudoTerminal) -> None:
        while True:
            for line_id in self._device.receive(await terminal.receive()):
                self._truth.acknowledged(self._placement.id, self._numbers[line_id])
