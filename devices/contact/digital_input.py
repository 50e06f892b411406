"""Anything with a contact: a door, a lamp's sensing relay, the pulse output of a meter.

An input tells a level (`contact.state`) or counts pulses (`counter.total`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from devices.contact.gpio_line import GpioLine
from devices.contact.input_line import EDGE_NUMBERS, LineRequest
from devices.contact.pulse_counter import PulseCounter
from devices.contact.simulated_line import SCHEME, SimulatedLine
from devices.driver import Origin, Reading, WireCounters, WireRole
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from devices.contact.input_line import Edge, InputLine

TOTAL_EVERY_S = 1.0
"""How far two totals are apart at least; the kernel keeps 1024 pulses meanwhile, and S0 has 17 a second at most."""
_PULSES_PER_UNIT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_LINE_OFFSET_MAX = 65_535


def _check_port(port: str) -> str | None:
    if not port or "\0" in port:
        return "is empty; name a GPIO chip such as /dev/gpiochip0"
    if "://" in port and not port.startswith(f"{SCHEME}/"):
        return f"is {port!r}; must be a GPIO chip such as /dev/gpiochip0 (or sim:///path of a simulated one)"
    return None


def _parse_line(raw: Any) -> int | str:
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _LINE_OFFSET_MAX:
        return raw
    if isinstance(raw, str) and raw and raw.isprintable():
        return raw
    raise ValueError("must be a line's offset on its chip (0, 1, …) or its name, as `gpioinfo` lists them")


def _parse_pulses_per_unit(raw: Any) -> Decimal:
    if isinstance(raw, str) and _PULSES_PER_UNIT.fullmatch(raw) and Decimal(raw) > 0:
        return Decimal(raw)
    raise ValueError('must be a number above 0 as text, such as "1000" or "187.5"')


@dataclass(frozen=True)
class DigitalInputSettings:
    """Keys of a `[[device]]` with `driver = "digital-input"`."""

    port: str = setting(doc="the GPIO chip, such as /dev/gpiochip0", check=_check_port)
    line: int | str = setting(doc="the line's offset on its chip, or its name", parse=_parse_line)
    active_low: bool = setting(default=False, doc="true: active is 0 V, as with a contact to ground and a pull-up")
    bias: str = setting("as-is", doc="the chip's own resistor", choices=("as-is", "disabled", "pull-up", "pull-down"))
    debounce_ms: int = setting(10, doc="how long a level must hold to count", minimum=0, maximum=10_000)
    mode: str = setting("contact", doc="contact tells a level, pulses counts", choices=("contact", "pulses"))
    contact: str | None = setting(None, doc="what the contact is called in events", minimum=1, maximum=64)
    counter: str | None = setting(None, doc="what the counter is called in events", minimum=1, maximum=64)
    pulses_per_unit: Decimal | None = setting(
        None, doc="how many pulses are a unit, as text", parse=_parse_pulses_per_unit
    )
    unit: str | None = setting(None, doc="the unit, such as kWh or m3", minimum=1, maximum=16)

    def __post_init__(self) -> None:
        """Raises ValueError where keys do not fit the mode, or each other."""
        is_counter = self.mode == "pulses"
        if (self.contact is None) is not is_counter or (self.counter is None) is is_counter:
            raise ValueError('mode = "contact" needs contact (a name); mode = "pulses" needs counter; neither both')
        if (self.pulses_per_unit is None) != (self.unit is None):
            raise ValueError("pulses_per_unit and unit go together")
        if self.unit is not None and not is_counter:
            raise ValueError('pulses_per_unit and unit are for mode = "pulses"')


class DigitalInput:
    """Driver of one input; `Resuming` and `Addressed`.

    An edge that the kernel dropped is an error; a pulse among them counts all the same.
    """

    Settings: ClassVar[type[DigitalInputSettings]] = DigitalInputSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY
    resumes: ClassVar[str] = "counter.total"

    def __init__(self, device: str, settings: DigitalInputSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._contact = settings.contact
        self._counter = (
            None
            if settings.counter is None
            else PulseCounter(settings.counter, settings.pulses_per_unit, settings.unit)
        )
        request = LineRequest(
            settings.line,
            settings.active_low,
            settings.bias,
            settings.debounce_ms,
            pulses=self._counter is not None,
        )
        self._line: InputLine = (
            SimulatedLine(settings.port, request, self.counters)
            if settings.port.startswith(SCHEME)
            else GpioLine(settings.port, request)
        )
        self._is_active = False
        self._number = 0

    @staticmethod
    def address(settings: DigitalInputSettings) -> str:
        """The line on its chip."""
        return f"line {settings.line}"

    def resume(self, last: Mapping[str, Any]) -> None:
        """Go on from the newest recorded total."""
        if self._counter is not None:
            self._counter.resume(last)

    async def open(self) -> None:
        """Request the line. Raises DeviceError."""
        self._number = 0
        self._is_active = await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """The level, or the total, as it is at the opening; then each change, or a total a second at most.

        Raises DeviceError when the chip is gone.
        """
        told = self._states() if self._counter is None else self._totals(self._counter)
        async for reading in told:
            self.counters.readings += 1
            yield reading

    async def close(self) -> None:
        """Release the line; idempotent."""
        await self._line.close()

    async def _states(self) -> AsyncIterator[Reading]:
        yield self._state(active=self._is_active)
        while True:
            for edge in await self._line.read():
                self._dropped_before(edge)
                yield self._state(active=edge.active)

    def _state(self, *, active: bool) -> Reading:
        return Reading("contact.state", {"contact": self._contact, "active": active}, Origin.UNPROTECTED)

    async def _totals(self, counter: PulseCounter) -> AsyncIterator[Reading]:
        while True:
            yield Reading("counter.total", counter.data(), Origin.UNPROTECTED)
            await asyncio.sleep(TOTAL_EVERY_S)
            for edge in await self._line.read():
                counter.pulses += self._dropped_before(edge) + 1

    def _dropped_before(self, edge: Edge) -> int:
        """How many edges were dropped between the one before and this."""
        dropped = (edge.number - self._number - 1) % EDGE_NUMBERS
        self._number = edge.number
        if dropped:
            self.counters.errors += dropped
            self.counters.last_error = f"{dropped} edges came faster than they were read; raise debounce_ms"
        return dropped
