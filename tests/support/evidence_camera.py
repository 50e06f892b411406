"""A camera of a test's own making: violations with real evidence, without a picture being looked at.

    register_evidence_camera()            # from then on `driver = "evidence-camera"` is known

It keeps the contract of an evidencing driver: evidence first, then the reading; what is not marked is told again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING, Any, ClassVar

import devices.registry
from devices.camera.evidence.errors import EvidenceError
from devices.camera.evidence.sets import EVIDENCE_ROLES
from devices.camera.evidence.store import EvidenceStore
from devices.driver import DeviceError, Reading, Recorded, Refused, WireCounters, WireRole
from ledger_sync.proof.settings import setting
from tests.support.violation import raw_set, speeding, working_set

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

NAME = "evidence-camera"


@dataclass(frozen=True)
class CameraSettings:
    """`violations` in all, over all runs; `raw_bytes` of raw pictures each."""

    port: str = setting("", doc="of no use here")
    violations: int = setting(3, doc="how many there are")
    raw_bytes: int = setting(180_000, doc="of raw pictures")
    interval_s: float = setting(0.0, doc="between two")


class EvidenceCamera:
    """The driver. `step` is that of its store: a fault test sets it before the gateway begins."""

    Settings: ClassVar[type[Any]] = CameraSettings
    wire_role = WireRole.LISTEN_ONLY
    step: ClassVar[Any] = staticmethod(lambda _: None)

    def __init__(self, device: str, settings: CameraSettings) -> None:
        self.counters = WireCounters()
        self._device, self._settings = device, settings
        self._store: EvidenceStore | None = None

    @staticmethod
    def evidence_roles(_settings: CameraSettings) -> tuple[str, ...]:
        return EVIDENCE_ROLES

    def use_evidence(self, folder: Path, keys: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._store = EvidenceStore(folder, keys, step=type(self).step)

    @property
    def store(self) -> EvidenceStore:
        assert self._store is not None, "the gateway calls use_evidence"
        return self._store

    async def open(self) -> None:
        try:
            await asyncio.to_thread(self.store.remove_torn)
        except EvidenceError as error:
            raise DeviceError(str(error)) from error

    async def readings(self) -> AsyncIterator[Reading]:
        for reading in await asyncio.to_thread(self.store.unrecorded):
            yield reading
        seen = self._folder.parents[2] / f"{self._device}.seen"  # the test's own count, on no disk that it fills
        while not seen.exists() or len(seen.read_bytes()) < self._settings.violations:
            kept: Reading | None = None
            try:
                kept = await asyncio.to_thread(self._keep)
            except EvidenceError as error:
                self.counters.errors += 1
                self.counters.last_error = str(error)
            with seen.open("ab") as file:
                file.write(b".")
            if kept is not None:
                yield kept
            await asyncio.sleep(self._settings.interval_s)
        await asyncio.Event().wait()

    def _keep(self) -> Reading:
        return self.store.keep(speeding(), working_set(), raw_set(3, self._settings.raw_bytes // 3))

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        mark = self.store.mark_recorded if isinstance(outcome, Recorded) else self.store.mark_refused
        await asyncio.to_thread(mark, str(reading.id))

    async def close(self) -> None:
        pass


def register_evidence_camera() -> None:
    """Have `load_driver` know it, in this process."""

    def with_ours(**query: Any) -> EntryPoints:
        ours = EntryPoint(NAME, f"{__name__}:EvidenceCamera", devices.registry.GROUP)
        return EntryPoints([*entry_points(**query), *EntryPoints([ours]).select(**query)])

    setattr(devices.registry, "entry_points", with_ours)  # noqa: B010 - the name is not exported there
