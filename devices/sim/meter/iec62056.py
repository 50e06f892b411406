"""A simulated meter with an optical port after IEC 62056-21, modes A, B and C."""

from __future__ import annotations

import asyncio
import random
import re
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import Faults
from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth

REACTION_S = 0.02
UNPLUGGED_S = 0.3
LATE_S_MAX = 1.0
_SPEEDS = {"A": "@", "B": "E", "C": "5"}
_SIGN_ON = re.compile(rb"/\?([0-9A-Za-z]{0,32})!\r\n")
_RECEIVED_BYTES_MAX = 256


class Iec62056Meter:
    """Kind `meter-iec62056`.

    Options: `mode` (`C`), `address` (none: answers every sign-on), `short_codes` (false: `1-0:1.8.0*255`, true:
    `1.8.0`). Faults hit the readout, not the identification.
    """

    kind: ClassVar[str] = "meter-iec62056"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._mode = str(placement.options.get("mode", "C"))
        self._address = str(placement.options.get("address", "")).encode("ascii")
        self._readouts = Readouts(placement.seed, short_codes=bool(placement.options.get("short_codes")))
        self._faults = Faults(placement.faults, placement.seed)
        self._terminal: PseudoTerminal | None = None
        self._received = b""

    async def start(self) -> None:
        """Plug in the head: a link in the placement's folder, named as the device, leads to its port."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        settings = {
            "driver": "iec62056",
            "port": str(self._placement.folder / self._placement.id),
            "poll_s": max(1.0, self._placement.real_interval_s),
        }
        return settings | ({"address": self._address.decode("ascii")} if self._address else {})

    async def run(self) -> None:
        """Answer until cancelled."""
        assert self._terminal is not None, "not started"
        try:
            while True:
                self._received = (self._received + await self._terminal.receive())[-_RECEIVED_BYTES_MAX:]
                sign_on = _SIGN_ON.search(self._received)
                if sign_on is not None:
                    self._received = self._received[sign_on.end() :]
                    if sign_on[1] in (b"", self._address):
                        await self._answer(self._terminal)
        finally:
            self._terminal.unplug()

    async def _answer(self, terminal: PseudoTerminal) -> None:
        await asyncio.sleep(REACTION_S)
        terminal.write(f"/WSD{_SPEEDS[self._mode]}SIMULATED\r\n".encode("ascii"))
        if self._mode == "C":
            while not self._received.endswith(b"\r\n"):
                self._received = (self._received + await terminal.receive())[-_RECEIVED_BYTES_MAX:]
            acknowledged, self._received = self._received, b""
            if not acknowledged.endswith((b"\x060" + _SPEEDS["C"].encode() + b"0\r\n", b"\x06000\r\n")):
                return
        late_s = self._faults.late_s()
        await asyncio.sleep(REACTION_S + late_s)
        frame, reading = self._readouts.readout(self._placement.clock.now())
        damaged, whole = self._faults.apply(frame)
        whole = terminal.write(damaged) == len(damaged) and whole and late_s < LATE_S_MAX
        unplugs = self._faults.unplugs()
        self._truth.add(self._placement.id, "meter.reading", reading, sure=whole and not unplugs)
        if unplugs:
            terminal.unplug()
            await asyncio.sleep(UNPLUGGED_S)
            self._received = b""
            terminal.replug()


class Readouts:
    """What the meter says: registers that only rise, and values of earlier resets beside them."""

    def __init__(self, seed: int, *, short_codes: bool) -> None:
        self._random = random.Random(seed)
        self._short_codes = short_codes
        self.meter_id = f"{30_000_000 + seed % 60_000_000}"
        self._imported_wh = self._random.randrange(5_000_000)
        self._exported_wh = self._random.randrange(1_000_000)

    def readout(self, now: datetime) -> tuple[bytes, dict[str, Any]]:
        """The next data readout at `now`, and the `meter.reading` data that a gateway is to record of it."""
        self._imported_wh += self._random.randint(0, 2500)
        self._exported_wh += self._random.randint(0, 500)
        current = [("1.8.0", self._imported_wh), ("1.8.1", self._imported_wh), ("2.8.0", self._exported_wh)]
        time, date = f"{now:%H%M%S}", f"{now:%y%m%d}"
        lines = [
            "F.F(00000000)",
            f"0.0.0({self.meter_id})",
            f"0.9.1({time})",
            f"0.9.2({date})",
            *(f"{self._code(code)}{self._current}({_kwh(wh):0>11}*kWh)" for code, wh in current),
            f"{self._code('1.8.0')}*01({_kwh(self._imported_wh // 2):0>11}*kWh)",
            "1.6.0(00.512*kW)(2611221745)",
            "C.7.0(0003)",
            "!",
        ]
        body = "\r\n".join(lines).encode("ascii") + b"\r\n\x03"
        check = 0
        for byte in body:
            check ^= byte
        registers = [{"obis": self._code(code), "value": _kwh(wh), "unit": "kWh"} for code, wh in current]
        reading = {
            "meter_id": self.meter_id,
            "meter_time": f"{date} {time}",
            "integrity": "crc",
            "registers": registers,
        }
        return b"\x02" + body + bytes((check,)), reading

    @property
    def _current(self) -> str:
        return "" if self._short_codes else "*255"

    def _code(self, code: str) -> str:
        return code if self._short_codes else f"1-0:{code}"


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03d}"
