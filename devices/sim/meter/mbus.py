"""A simulated M-Bus meter behind the level converter of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import Faults
from devices.sim.meter.mbus_frame import Answer, MBusSlave, requests_in
from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth

UNPLUGGED_S = 0.3
# A master that waits half a second for an answer may have asked again by then.
_LATE_S = 0.4
_POLL_S_MIN = 0.1


class MBusMeter:
    """Kind `meter-mbus`. Options: `address` (5), `medium` (heat, water, electricity), `telegrams` a readout (1)."""

    kind: ClassVar[str] = "meter-mbus"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        options = placement.options
        self._placement, self._truth = placement, truth
        self._faults = Faults(placement.faults, placement.seed)
        self._slave = MBusSlave(
            placement.seed, options.get("address", 5), options.get("medium", "heat"), options.get("telegrams", 1)
        )
        self._terminal: PseudoTerminal | None = None
        self._told: int | None = None

    async def start(self) -> None:
        """Plug in: a link in the placement's folder, named as the device, leads to the port."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {
            "driver": "mbus",
            "port": str(self._placement.folder / self._placement.id),
            "address": self._slave.address,
            "poll_s": max(_POLL_S_MIN, self._placement.real_interval_s),
        }

    async def run(self) -> None:
        """Answer until cancelled."""
        assert self._terminal is not None, "not started"
        received = bytearray()
        try:
            while True:
                received += await self._terminal.receive()
                for request in requests_in(received):
                    answer = self._slave.answer(request, self._placement.clock.now())
                    if answer is not None:
                        await self._send(self._terminal, answer)
        finally:
            self._terminal.unplug()

    async def _send(self, terminal: PseudoTerminal, answer: Answer) -> None:
        frame, whole = self._faults.apply(answer.frame)
        late_s = self._faults.late_s()
        await asyncio.sleep(late_s)
        whole = terminal.write(frame) == len(frame) and whole and late_s < _LATE_S
        unplugs = self._faults.unplugs()
        if answer.repeated and self._told is not None:
            if answer.reading is not None and whole:
                self._truth.heard(self._placement.id, self._told)
        elif answer.reading is not None:
            self._told = self._truth.add(
                self._placement.id, "meter.reading", answer.reading, sure=whole and not unplugs
            )
        if unplugs:
            terminal.unplug()
            await asyncio.sleep(UNPLUGGED_S)
            terminal.replug()
