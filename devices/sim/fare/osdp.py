"""A simulated OSDP reader on a pseudo-terminal, secure channel and all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import Faults
from devices.sim.pty import PseudoTerminal

from .osdp_peripheral import VENDOR_CODE, OsdpPeripheral, Read, wiegand_26

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.device import Placement, Truth

_REFRESH_S = 0.02
_UNPLUGGED_S = 0.3


class OsdpReader:
    """Kind `fare-osdp`: a card is read every interval. Its key lies beside its port, in `<id>.scbk`.

    Options: `direction` (in), `address` (0), `biometric` (true: a finger is matched too), `wrong_key` (true: the file
    holds another key than the reader). Faults strike the replies that carry a read: a reader answers 20 polls a
    second. `cut` parts the wire while it is true. `cards` are the numbers that were read, four bytes each. A read is
    sure in the truth once the green light confirmed it.
    """

    kind: ClassVar[str] = "fare-osdp"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self.cut = False
        self.cards: list[bytes] = []
        self._placement, self._truth = placement, truth
        self._faults = Faults(placement.faults, placement.seed)
        self._random = random.Random(placement.seed)
        key = self._random.randbytes(16)
        self._file_key = self._random.randbytes(16) if placement.options.get("wrong_key") else key
        self._peripheral = OsdpPeripheral(self._address, key)
        self._terminal: PseudoTerminal | None = None

    async def start(self) -> None:
        """Plug in, and write the key's file."""
        self._terminal = PseudoTerminal(self._placement.folder / self._placement.id)
        descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, self._file_key.hex().encode() + b"\n")
        finally:
            os.close(descriptor)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        settings = {
            "driver": "osdp",
            "port": str(self._placement.folder / self._placement.id),
            "key_file": str(self._key_file),
            "address": self._address,
            "direction": self._direction,
        }
        return settings | ({"vendor_code": VENDOR_CODE} if self._placement.options.get("biometric") else {})

    async def run(self) -> None:
        """Answer the gateway and read cards until cancelled."""
        assert self._terminal is not None, "not started"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._serve(self._terminal))
                tasks.create_task(self._read_cards())
        finally:
            self._terminal.unplug()

    def present(self) -> None:
        """Somebody presents a card."""
        card = wiegand_26(self._random)
        self.cards.append(card)
        data: dict[str, Any] = {"direction": self._direction, "card_sealed": "*", "auth": "card"}
        score = None
        if self._placement.options.get("biometric"):
            score = self._random.randint(128, 255)
            data |= {"auth": "both", "bio": {"result": "match", "score": score}}
        number = self._truth.add(self._placement.id, "fare.tap", data, sure=False)
        self._peripheral.store(Read(number, card, score))

    async def _read_cards(self) -> None:
        while True:
            await asyncio.sleep(self._placement.real_interval_s)
            self.present()

    async def _serve(self, terminal: PseudoTerminal) -> None:
        reader = self._peripheral
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_S):
                    data = await terminal.receive()
                    reader.incoming.extend(b"" if self.cut else data)
            reader.refresh(asyncio.get_running_loop().time())
            await self._reply(terminal)
            if reader.green is not None:
                self._truth.acknowledged(self._placement.id, reader.green)
                reader.green = None

    async def _reply(self, terminal: PseudoTerminal) -> None:
        reply = bytes(self._peripheral.outgoing)
        self._peripheral.outgoing.clear()
        read, self._peripheral.sent = self._peripheral.sent, None
        if read is not None:
            await asyncio.sleep(self._faults.late_s())
            reply = self._faults.apply(reply)[0]
        if not self.cut:
            terminal.write(reply)
        if read is not None and self._faults.unplugs():
            terminal.unplug()
            await asyncio.sleep(_UNPLUGGED_S)
            terminal.replug()

    @property
    def _address(self) -> int:
        return int(self._placement.options.get("address", 0))

    @property
    def _direction(self) -> str:
        return str(self._placement.options.get("direction", "in"))

    @property
    def _key_file(self) -> Path:
        return self._placement.folder / f"{self._placement.id}.scbk"
