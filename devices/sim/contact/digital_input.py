"""A simulated contact at a digital input: a door that opens and closes, or the pulse output of a meter."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.contact.gpio_chip import SimulatedChip

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth

_LINE = "contact"
_PULSE_S = 0.03  # IEC 62053-31, 4.1.3.3: on for 30 ms at least
_UNPLUGGED_S = 0.3


class DigitalInputContact:
    """Kind `contact-digital-input`: on average every interval a contact changes, or a meter gives a pulse.

    Options: `mode` ("contact" or "pulses"), `name` (of the contact or counter; default the device's id). A meter gives
    1000 pulses a kWh. The contact closes to ground: the line is active-low.

    Faults, a change: truncate is another one right before, whose edges the kernel drops (a contact opens and closes, a
    pulse more); unplug takes the chip away instead. The truth has what the gateway is told, and of totals no numbers
    once the line was requested again: from then on only the gateway knows from where it goes on.
    """

    kind: ClassVar[str] = "contact-digital-input"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._random = random.Random(placement.seed)
        self._counts = placement.options.get("mode") == "pulses"
        self._name = str(placement.options.get("name", placement.id))
        self._chip = SimulatedChip(placement.folder / f"{placement.id}.gpio", _LINE, self._on_request)
        self._requests = 0
        self._pulses = 0
        self._closed = False

    async def start(self) -> None:
        """Plug the chip in; the contact is open."""
        self._chip.drive(high=True)
        await self._chip.plug_in()

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        common = {
            "driver": "digital-input",
            "port": f"sim://{self._chip.path.absolute()}",
            "line": _LINE,
            "active_low": True,
        }
        if self._counts:
            return common | {"mode": "pulses", "counter": self._name, "pulses_per_unit": "1000", "unit": "kWh"}
        return common | {"contact": self._name}

    async def run(self) -> None:
        """Go on until cancelled."""
        rates, interval_s = self._placement.faults, self._placement.real_interval_s
        try:
            while True:
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * interval_s)
                if self._random.random() < rates.unplug:
                    await self._chip.unplug()
                    await asyncio.sleep(_UNPLUGGED_S)
                    await self._chip.plug_in()
                    continue
                if self._random.random() < rates.truncate:
                    self._flicker()
                await (self._pulse() if self._counts else self._toggle())
        finally:
            await self._chip.unplug()

    def _flicker(self) -> None:
        for high in (self._closed, not self._closed):
            self._chip.drive(high=high, dropped=True)
        self._pulses += self._chip.is_requested

    async def _toggle(self) -> None:
        self._closed = not self._closed
        if self._chip.drive(high=not self._closed):
            self._tell_state(active=self._closed)

    async def _pulse(self) -> None:
        if self._chip.drive(high=False):
            self._pulses += 1
            self._tell_total()
        await asyncio.sleep(_PULSE_S)
        self._chip.drive(high=True)

    def _on_request(self, active: bool) -> None:  # noqa: FBT001 - a callback
        self._requests += 1
        if self._counts:
            self._tell_total()
        else:
            self._tell_state(active=active)

    def _tell_state(self, *, active: bool) -> None:
        self._truth.add(self._placement.id, "contact.state", {"contact": self._name, "active": active}, sure=True)

    def _tell_total(self) -> None:
        total: dict[str, Any] = {"pulses": "*", "value": "*"}
        if self._requests <= 1:
            total = {"pulses": self._pulses, "value": f"{self._pulses // 1000}.{self._pulses % 1000:03}"}
        self._truth.add(self._placement.id, "counter.total", {"counter": self._name, **total, "unit": "kWh"}, sure=True)
