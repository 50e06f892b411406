"""How a configured device gets its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devices.driver import Described, Evidencing, Following, Resuming, Sealing
from devices.registry import load_driver
from edge.journal.newest import newest_event
from edge.sealing import seal_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from devices.driver import Driver
    from edge.config import AuthorityConfig
    from edge.device.config import DeviceConfig
    from edge.journal.reader import JournalReader


def make_driver(device: DeviceConfig, authorities: Iterable[AuthorityConfig], evidence_dir: Path) -> Driver:
    """The device's driver, not opened, with what its abilities ask for; its evidence goes under `evidence_dir`.

    For each role that it seals to there is one authority, as a configuration with none or two is refused. Raises
    DriverRegistryError.
    """
    driver = load_driver(device.driver)(device.id, device.settings)
    keys = {one.role: one.public_key for one in authorities}
    if isinstance(driver, Sealing):
        driver.use_seal(seal_to(keys[driver.seals_to]))
    if isinstance(driver, Evidencing):
        roles = driver.evidence_roles(device.settings)
        driver.use_evidence(evidence_dir / device.id, {role: keys[role] for role in roles})
    if isinstance(driver, Described):
        driver.use_passport(device.common.passport or {})
    return driver


def followed_devices(driver: Driver, device: DeviceConfig, gateway: str) -> tuple[str, ...]:
    """The ids whose committed events the driver is told: the device that it follows, and the gateway itself."""
    followed = driver.follows(device.settings) if isinstance(driver, Following) else None
    return () if followed is None else (followed, gateway)


def last_recorded(driver: Driver, device: str, journal: JournalReader) -> Mapping[str, Any] | None:
    """The data from which a driver that can do so goes on; None where there is none. Raises JournalError."""
    last = newest_event(journal, device, driver.resumes) if isinstance(driver, Resuming) else None
    return None if last is None else last.data
