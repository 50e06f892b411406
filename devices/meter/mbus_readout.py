"""One readout of an M-Bus meter: select it, ask, and ask on while it says that more follows (EN 13757-2 and -7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from devices.meter.mbus_address import PRIMARY_ADDRESS_MAX
from devices.meter.mbus_link import Acknowledgement, FrameFinder, Response, initialize, request_data, select
from devices.meter.mbus_telegram import VARIABLE_CI, Telegram, parse_telegram

if TYPE_CHECKING:
    from devices.driver import WireCounters
    from devices.meter.mbus_address import MeterAddress
    from devices.wire.bus import Bus

_Answer = TypeVar("_Answer", Acknowledgement, Response)

TRIES = 3
"""How often a request is sent at most; a slave tells a repeated one by its frame count bit (EN 13757-2)."""

TELEGRAMS_MAX = 16

_LONGEST_FRAME_BITS = 261 * 11
# A master lets the line rest for 33 bit times before it asks anew; 30 ms also cover what a TCP gateway adds.
_SILENT_S = 0.03
_SETTLING_S_MAX = 1.0
_ADDRESS_BYTES = 8


class Readout:
    """Reads one meter; counts what goes wrong on the way. `answer_s` is how long a slave may take to begin."""

    def __init__(self, address: MeterAddress, baudrate: int, answer_s: float, counters: WireCounters) -> None:
        self._address, self._counters = address, counters
        self._answer_s = answer_s
        self._frame_s = answer_s + 2 * _LONGEST_FRAME_BITS / baudrate
        self._finder = FrameFinder(counters)

    async def read(self, bus: Bus) -> list[Telegram] | None:
        """The meter's telegrams, at least one; None when it did not answer `TRIES` times in a row.

        Raises DeviceError when the line is lost, MBusError when the meter answers something that is no telegram.
        """
        link, selection = self._address.link, self._address.selection
        async with bus.turn():
            greeting = initialize(link) if selection is None else select(selection)
            if await self._ask(bus, greeting, Acknowledgement) is None:
                return None
            telegrams: list[Telegram] = []
            frame_count = True
            while len(telegrams) < TELEGRAMS_MAX:
                response = await self._ask(bus, request_data(link, frame_count=frame_count), Response)
                if response is None:
                    return None
                telegrams.append(self._telegram(response))
                if not telegrams[-1].more_follow:
                    return telegrams
                frame_count = not frame_count
        self._count(f"the meter has more than {TELEGRAMS_MAX} telegrams; the rest is left out")
        return telegrams

    async def _ask(self, bus: Bus, request: bytes, kind: type[_Answer]) -> _Answer | None:
        for _ in range(TRIES):
            await self._settle(bus)
            await bus.write(request)
            answer = await self._wait(bus, kind)
            if answer is not None:
                return answer
            self._count(f"{self._address.text}: no answer, or a damaged one")
        return None

    async def _settle(self, bus: Bus) -> None:
        """Wait until the line is silent, and drop what came: it answers nothing that is still asked."""
        try:
            async with asyncio.timeout(_SETTLING_S_MAX):
                while True:
                    try:
                        async with asyncio.timeout(_SILENT_S):
                            self._counters.bytes_dropped += len(await bus.read())
                    except TimeoutError:
                        return
        except TimeoutError:
            self._count("the line is never silent; check for a second master and for noise")

    async def _wait(self, bus: Bus, kind: type[_Answer]) -> _Answer | None:
        """The first answer of `kind` from this meter within the time that a slave has; None without one."""
        try:
            async with asyncio.timeout(self._frame_s):
                while True:
                    async with asyncio.timeout(self._answer_s):
                        data = await bus.read()
                    answer = self._chosen(self._finder.feed(data), kind)
                    if answer is not None:
                        return answer
        except TimeoutError:
            return self._chosen(self._finder.flush(), kind)
        finally:
            self._finder.flush()

    def _chosen(self, answers: list[Acknowledgement | Response], kind: type[_Answer]) -> _Answer | None:
        return next((one for one in answers if isinstance(one, kind) and self._is_from_this_meter(one)), None)

    def _is_from_this_meter(self, answer: Acknowledgement | Response) -> bool:
        if isinstance(answer, Acknowledgement):
            return True
        whole = answer.control_information != VARIABLE_CI or self._address.matches(answer.data[:_ADDRESS_BYTES])
        if whole and (self._address.link > PRIMARY_ADDRESS_MAX or answer.address == self._address.link):
            return True
        self._count(f"an answer of another meter than that at {self._address.text}")
        return False

    def _telegram(self, response: Response) -> Telegram:
        telegram = parse_telegram(response.control_information, response.data)
        if telegram.problem:
            self._count(telegram.problem)
        return telegram

    def _count(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what
