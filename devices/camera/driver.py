"""Traffic cameras: counts, speeds and red-light violations, each violation with sealed evidence.

The camera itself runs in a process of its own (`process.py`). What it has written to the disk and nobody has recorded
yet is told first, each time that the camera is opened.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from devices.camera.child import CameraProcess
from devices.camera.evidence.errors import EvidenceError
from devices.camera.evidence.store import EvidenceStore
from devices.camera.pipe import Assignment, event_line
from devices.camera.settings import OVERSIGHT, TRAFFIC, CameraSettings, as_table
from devices.driver import DeviceError, Recorded, WireCounters, WireRole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from devices.driver import CommittedEvent, Reading, Refused

READY_MAX_S = 20.0
_NEEDED = ("cv2", "numpy", "lap")
_HEALTH = "device.health"
_FOLLOWED = frozenset({"signal.phase", _HEALTH, "gateway.start", "gateway.clock", "gateway.gap"})


class Camera:
    """Driver of one camera."""

    Settings: ClassVar[type[CameraSettings]] = CameraSettings
    wire_role: ClassVar[WireRole] = WireRole.SHARED

    def __init__(self, device: str, settings: CameraSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self.impairment = ""
        self.is_at_work = False
        self._settings = settings
        self._folder: Path | None = None
        self._keys: Mapping[str, bytes] = {}
        self._store: EvidenceStore | None = None
        self._approved_until_us = 0
        self._health: bytes | None = None
        self._process: CameraProcess | None = None
        self._errors_before = 0

    @staticmethod
    def evidence_roles(settings: CameraSettings) -> tuple[str, ...]:
        """Traffic and oversight for a camera that accuses anybody; a camera that counts keeps no picture at all."""
        return (TRAFFIC, OVERSIGHT) if settings.enforces else ()

    @staticmethod
    def follows(settings: CameraSettings) -> str | None:
        """The device that tells the signal's states."""
        return settings.signal

    @staticmethod
    def unprepared(settings: CameraSettings) -> tuple[str, ...]:
        """What is missing or wrong of the extra `camera`, the calibration and its confirmed view."""
        if missing := _missing():
            return (missing,)
        from devices.camera.preparation import unprepared_files  # noqa: PLC0415 - needs the extra

        return unprepared_files(settings)

    def use_evidence(self, folder: Path, keys: Mapping[str, bytes]) -> None:
        """Where evidence goes, and to whom it is sealed."""
        if self._settings.enforces:
            self._folder, self._keys = folder, keys
            self._store = EvidenceStore(folder, {})

    def use_passport(self, passport: Mapping[str, Any]) -> None:
        """A camera is approved until its calibration expires, if its passport says by which approval."""
        expires = passport.get("calibration", {}).get("expires")
        if passport.get("class") == "approved" and "approval" in passport and expires is not None:
            self._approved_until_us = _end_of_day_us(expires)

    def follow(self, event: CommittedEvent) -> None:
        """Hand the signal's states to the camera's process."""
        if event.type not in _FOLLOWED:
            return
        line = event_line(event)
        if event.type == _HEALTH:
            # All that a process has to know that is started later: phases it judges by only if it saw the road then.
            self._health = line
        if self._process is not None:
            self._process.tell(line)

    async def open(self) -> None:
        """Start the camera's process, and wait until it has what it needs. Raises DeviceError.

        The stream it opens itself, again and again; while there is none that is its `impairment`.
        """
        await self.close()
        if missing := _missing():
            raise DeviceError(f"{self.device}: {missing}")
        if self._store is not None:
            try:
                await asyncio.to_thread(self._store.remove_torn)
            except EvidenceError as error:
                raise DeviceError(str(error)) from error
        folder = str(self._folder.absolute()) if self._folder else None
        assignment = Assignment(self.device, as_table(self._settings), self._approved_until_us, folder, self._keys)
        self._process = await CameraProcess.start(self.device, assignment)
        self.impairment, self.is_at_work, self._errors_before = "", False, self.counters.errors
        if self._health is not None:
            self._process.tell(self._health)
        try:
            async with asyncio.timeout(READY_MAX_S):
                while not (await self._process.report()).is_ready:
                    pass
        except TimeoutError as error:
            raise DeviceError(f"{self.device}: its process was not ready within {READY_MAX_S:g} s") from error

    async def readings(self) -> AsyncIterator[Reading]:
        """What is on the disk and may not be recorded, then what the camera sees. Raises DeviceError."""
        process = self._process
        if process is None:
            raise DeviceError(f"{self.device}: is not open; open it first")
        if self._store is not None:
            try:
                left = await asyncio.to_thread(self._store.unrecorded)
            except EvidenceError as error:
                raise DeviceError(str(error)) from error
            for reading in left:
                yield reading
        while True:
            report = await process.report()
            if report.impairment is not None:
                self.impairment = report.impairment
            self.is_at_work |= report.sees
            if report.errors is not None:
                self.counters.errors = self._errors_before + report.errors
            if report.figures is not None:
                self.counters.figures = report.figures
            if report.reading is not None:
                self.counters.readings += 1
                yield report.reading

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """A violation is recorded: its evidence may go to the authority."""
        if self._store is None or reading.id is None:
            return
        mark = self._store.mark_recorded if isinstance(outcome, Recorded) else self._store.mark_refused
        try:
            await asyncio.to_thread(mark, reading.id)
        except EvidenceError as error:
            # The folder is told again at the next opening, and marked then.
            self._errors_before += 1
            self.counters.errors += 1
            self.counters.last_error = str(error)

    async def close(self) -> None:
        """End the camera's process; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            await process.end()


def _missing() -> str:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    return f"needs {', '.join(missing)}; install Wayside with its extra `camera`" if missing else ""


def _end_of_day_us(day: str) -> int:
    """The end of a calendar day (ISO 8601), UTC."""
    end = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    return int(end.timestamp() * 1_000_000)
