"""Card and biometric readers over OSDP (SIA OSDP 2.2, IEC 60839-11-5) on RS-485, in the secure channel only.

One reader a port. What it reads is sealed to the transit authority before it leaves the driver; a rider gets the
green light when the tap is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, Any, ClassVar

from devices.driver import DeviceError, Origin, Recorded, WireCounters, WireRole
from devices.fare.card import DIRECTIONS, SEALS_TO, require_seal, tap
from devices.fare.osdp_credential import parse_event
from devices.fare.osdp_key import read_key
from devices.fare.osdp_link import SecureLink
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import parse_file, setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading, Refused, Seal
    from devices.fare.osdp_credential import Credential

REFRESH_S = 0.02
LOST_MAX_S = 3.0
REFUSED_MAX_S = 5.0
# Most of the time that a reader is away passes in `open`, so that it is heard as soon as it is back.
ABSENT_MAX_S = 20.0


@dataclass(frozen=True)
class OsdpSettings:
    """Keys of a `[[device]]` with `driver = "osdp"`."""

    port: str = setting(doc="the serial port of the RS-485 adapter, best a path under /dev/serial/by-id", minimum=1)
    key_file: Path = setting(
        doc="file of the reader's key (SCBK): 16 bytes or 32 hex digits, mode 0600", parse=parse_file
    )
    direction: str = setting(doc="what a tap here means: in or out", choices=DIRECTIONS)
    address: int = setting(0, doc="the reader's address on the bus", minimum=0, maximum=126)
    baudrate: int = setting(9600, doc="bit/s, 8N1", minimum=9600, maximum=115200)
    vendor_code: int | None = setting(
        None, doc="whose manufacturer's replies are biometric matches; none if not set", minimum=0, maximum=0xFFFFFF
    )


class Osdp:
    """Driver of one OSDP reader: one `fare.tap` a card read or match; `Answering`, `Sealing`."""

    Settings: ClassVar[type[OsdpSettings]] = OsdpSettings
    wire_role: ClassVar[WireRole] = WireRole.SOLE_MASTER
    seals_to: ClassVar[str] = SEALS_TO

    def __init__(self, device: str, settings: OsdpSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._seal: Seal | None = None
        self._line = SerialLine(settings.port, settings.baudrate, bytesize=8, parity="N")
        self._link: SecureLink | None = None

    def use_seal(self, seal: Seal) -> None:
        """Seal cards with this; called before `open`."""
        self._seal = seal

    async def open(self) -> None:
        """Open the port and wait for the secure channel.

        Raises DeviceError: no seal, unusable key file or port, no answer for 20 s, an answer but no channel for 5 s.
        """
        require_seal(self._seal, self.device)
        key = read_key(self._settings.key_file)
        await self._line.open()
        self._link = SecureLink(self._settings.address, key)
        absent_until_s, refused_until_s = self._now_s() + ABSENT_MAX_S, None
        while not self._link.secure:
            await self._exchange(self._link)
            if refused_until_s is None and self._link.identified:
                refused_until_s = self._now_s() + REFUSED_MAX_S
            if self._now_s() >= (refused_until_s or absent_until_s):
                await self.close()
                raise self._unreached(identified=refused_until_s is not None)

    async def readings(self) -> AsyncIterator[Reading]:
        """Taps in the order of the reader.

        Raises DeviceError when the port is lost, or the secure channel for 3 s.
        """
        link, seal = self._link, require_seal(self._seal, self.device)
        if link is None:
            raise DeviceError(f"port {self._settings.port}: is not open; open it first")
        lost_at_s: float | None = None
        while True:
            for event in await self._exchange(link):
                credential = parse_event(event, self._settings.vendor_code)
                if isinstance(credential, str):
                    self._count_error(credential)
                elif credential is not None:
                    self.counters.readings += 1
                    yield self._tap(credential, seal)
            lost_at_s = self._lost_since(link, lost_at_s)
            if lost_at_s is not None and self._now_s() >= lost_at_s + LOST_MAX_S:
                raise DeviceError(f"{self._place}: the secure channel was lost; check the reader's power and wires")

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Tell the person at the reader: green and a beep for what is committed, red and three beeps if refused."""
        del reading  # OSDP has no name for a read: light and tone are for who stands there
        if self._link is not None:
            self._link.signal(good=isinstance(outcome, Recorded))

    async def close(self) -> None:
        """Close the port; idempotent."""
        self._link = None
        await self._line.close()

    def _tap(self, credential: Credential, seal: Seal) -> Reading:
        details = {} if credential.bio is None else {"bio": credential.bio}
        direction, origin = self._settings.direction, Origin.AUTHENTICATED_LINK
        return tap(credential.card, seal, direction, origin, auth=credential.auth, details=details)

    async def _exchange(self, link: SecureLink) -> list[dict[str, Any]]:
        """One turn: what came from the wire, what the reader told by it, what the panel says to it."""
        with contextlib.suppress(TimeoutError):  # the panel must go on also while the reader is silent
            async with asyncio.timeout(REFRESH_S):
                link.receive(await self._line.read())
        events = link.refresh(self._now_s())
        self.counters.bytes_dropped += link.take_dropped()
        if outgoing := link.outgoing():
            await self._line.write(outgoing)
        return events

    def _lost_since(self, link: SecureLink, before_s: float | None) -> float | None:
        """Since when the secure channel is lost, None while it is up; counts each loss and each return."""
        if link.secure:
            self.counters.resyncs += before_s is not None
            return None
        if before_s is None:
            self._count_error("the secure channel was lost")
        return before_s or self._now_s()

    def _count_error(self, sentence: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = sentence

    def _unreached(self, *, identified: bool) -> DeviceError:
        if identified:
            why = f"answers, but not with the key in {self._settings.key_file}; put the reader's own key there"
        else:
            why = "does not answer; check its power, the wires A and B, `address` and `baudrate`"
        self._count_error(f"the reader {why}")
        return DeviceError(f"{self._place}: {why}")

    @property
    def _place(self) -> str:
        return f"reader {self._settings.address} at port {self._settings.port}"

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
