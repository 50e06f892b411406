"""A simulated PN532 reader on a pseudo-terminal; a card is held to it every interval."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import Faults
from devices.sim.pty import PseudoTerminal

from .pn532_chip import Pn532Chip

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth

_UNPLUGGED_S = 0.3
_HELD_S = 0.6


class Pn532Reader:
    """Kind `fare-pn532`: a card is held for 0.6 s (or half the interval), every interval.

    Option: `direction` (in). Faults strike the answers that tell of a card. `cards` are the UIDs that were held. A
    tap is sure in the truth once an answer told of it undamaged and the gateway asked again. Choose an interval above
    one second: a card that comes back sooner counts as held.
    """

    kind: ClassVar[str] = "fare-pn532"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self.cards: list[bytes] = []
        self.chip = Pn532Chip()
        self._placement, self._truth = placement, truth
        self._faults = Faults(placement.faults, placement.seed)
        self._random = random.Random(placement.seed)
        self._terminal: PseudoTerminal | None = None
        self._held: int | None = None
        self._told: int | None = None

    async def start(self) -> None:
        """Plug in."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        port = str(self._placement.folder / self._placement.id)
        return {"driver": "pn532", "port": port, "direction": self._direction}

    async def run(self) -> None:
        """Answer the gateway and hold cards until cancelled."""
        assert self._terminal is not None, "not started"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._serve(self._terminal))
                tasks.create_task(self._hold_cards())
        finally:
            self._terminal.unplug()

    async def _hold_cards(self) -> None:
        held_s = min(_HELD_S, self._placement.real_interval_s / 2)
        while True:
            await asyncio.sleep(self._placement.real_interval_s - held_s)
            self.chip.card = self._card()
            self.cards.append(self.chip.card)
            data = {"direction": self._direction, "card_sealed": "*", "auth": "card"}
            self._held = self._truth.add(self._placement.id, "fare.tap", data, sure=False)
            await asyncio.sleep(held_s)
            self.chip.card = self._held = None

    def _card(self) -> bytes:
        """A UID of four bytes (not 08, which is a random one) or of seven (04 is NXP's)."""
        if self._random.random() < 0.5:  # noqa: PLR2004 - one of two kinds
            return bytes((self._random.randint(0x10, 0x7F),)) + self._random.randbytes(3)
        return b"\x04" + self._random.randbytes(6)

    async def _serve(self, terminal: PseudoTerminal) -> None:
        while True:
            answers = self.chip.receive(await terminal.receive())
            if not answers:
                continue
            if self._told is not None:
                self._confirm(self._told)
            *before, last = answers
            terminal.write(b"".join(before))
            if self.chip.told:
                await self._tell(terminal, last)
            else:
                terminal.write(last)
            self.chip.told = False

    def _confirm(self, number: int) -> None:
        """The gateway asks again, so it had the answer before."""
        self._truth.heard(self._placement.id, number)
        self._told = None
        if self._held == number:
            self._held = None

    async def _tell(self, terminal: PseudoTerminal, answer: bytes) -> None:
        await asyncio.sleep(self._faults.late_s())
        damaged, whole = self._faults.apply(answer)
        whole = terminal.write(damaged) == len(damaged) and whole
        if self._faults.unplugs():
            terminal.unplug()
            await asyncio.sleep(_UNPLUGGED_S)
            self.chip.awake = False
            terminal.replug()
        elif whole:
            self._told = self._held

    @property
    def _direction(self) -> str:
        return str(self._placement.options.get("direction", "in"))
