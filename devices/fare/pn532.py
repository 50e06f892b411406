"""Readers with an NXP PN532 on its serial interface (HSU): the UID of the contactless card that is held to them.

The UID is sealed to the transit authority before it leaves the driver. It proves little: any UID can be copied.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Origin, WireCounters, WireRole
from devices.fare.card import DIRECTIONS, SEALS_TO, Card, require_seal, tap
from devices.fare.pn532_frame import FrameParser, command_frame
from devices.fare.pn532_target import NoTargetError, Presence, is_random, parse_target_list
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading, Seal

POLL_S = 0.1
ANSWER_MAX_S = 0.3
UNANSWERED_MAX = 4

_SAM_CONFIGURATION, _RF_CONFIGURATION, _IN_LIST_PASSIVE_TARGET = 0x14, 0x32, 0x4A
# HSU wake-up: two 55 and some zeros, long enough for the oscillator (UM0701-02, section 7.2.11).
_WAKE_UP = b"\x55\x55" + bytes(14)
_NORMAL_MODE = b"\x01"
# Item 5: retries for ATR, PSL and the search for a card; by default it is searched for ever.
_FEW_RETRIES = b"\x05\xff\x01\x02"
_ONE_TYPE_A = b"\x01\x00"


@dataclass(frozen=True)
class Pn532Settings:
    """Keys of a `[[device]]` with `driver = "pn532"`."""

    port: str = setting(doc="the serial port of the reader, best a path under /dev/serial/by-id", minimum=1)
    direction: str = setting(doc="what a tap here means: in or out", choices=DIRECTIONS)


class Pn532:
    """Driver of a PN532: one `fare.tap` a card that is presented, however long it is held; `Sealing`."""

    Settings: ClassVar[type[Pn532Settings]] = Pn532Settings
    wire_role: ClassVar[WireRole] = WireRole.SOLE_MASTER
    seals_to: ClassVar[str] = SEALS_TO

    def __init__(self, device: str, settings: Pn532Settings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._seal: Seal | None = None
        self._line = SerialLine(settings.port, 115200, bytesize=8, parity="N")
        self._parser = FrameParser(self.counters)
        self._presence = Presence()

    def use_seal(self, seal: Seal) -> None:
        """Seal cards with this; called before `open`."""
        self._seal = seal

    async def open(self) -> None:
        """Open the port and set the reader up. Raises DeviceError: no seal, unusable port, no answer within 0.3 s."""
        require_seal(self._seal, self.device)
        self._parser = FrameParser(self.counters)
        await self._line.open()
        try:
            await self._line.write(_WAKE_UP)
            await self._ask(_SAM_CONFIGURATION, _NORMAL_MODE)
            await self._ask(_RF_CONFIGURATION, _FEW_RETRIES)
        except TimeoutError as error:
            await self.close()
            raise self._unanswered() from error

    async def readings(self) -> AsyncIterator[Reading]:
        """A tap each time a card is presented. Raises DeviceError when the port is lost or the reader silent."""
        seal = require_seal(self._seal, self.device)
        unanswered = 0
        while True:
            try:
                uid = parse_target_list(await self._ask(_IN_LIST_PASSIVE_TARGET, _ONE_TYPE_A))
                unanswered = 0
                if self._presence.is_new(uid, asyncio.get_running_loop().time()) and uid is not None:
                    self.counters.readings += 1
                    yield self._tap(uid, seal)
            except NoTargetError as error:
                self._count_error(str(error))
            except TimeoutError as error:
                unanswered += 1
                self._parser.drop_unfinished()
                self._count_error("a poll was not answered")
                if unanswered >= UNANSWERED_MAX:
                    raise self._unanswered() from error
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()

    def _tap(self, uid: bytes, seal: Seal) -> Reading:
        details = {"result": "random_uid"} if is_random(uid) else {}
        return tap(Card("iso14443a", uid), seal, self._settings.direction, Origin.CHECKSUM, details=details)

    async def _ask(self, command: int, parameters: bytes) -> bytes:
        """The data of the answer to a command. Raises TimeoutError after 0.3 s, DeviceError."""
        await self._line.write(command_frame(command, parameters))
        async with asyncio.timeout(ANSWER_MAX_S):
            while True:
                for frame in self._parser.feed(await self._line.read()):
                    # Acknowledgements, and answers to an earlier command that came too late, are passed over.
                    if isinstance(frame, bytes) and frame and frame[0] == command + 1:
                        return frame[1:]

    def _count_error(self, sentence: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = sentence

    def _unanswered(self) -> DeviceError:
        mend = "check its power, RX and TX, and its switches (HSU)"
        return DeviceError(f"port {self._settings.port}: the reader does not answer; {mend}")
