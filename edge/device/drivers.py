"""How a configured device gets its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devices.driver import Resuming, Sealing
from devices.registry import load_driver
from edge.journal.newest import newest_event
from edge.sealing import seal_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devices.driver import Driver
    from edge.config import AuthorityConfig
    from edge.device.config import DeviceConfig
    from edge.journal.reader import JournalReader


def make_driver(device: DeviceConfig, authorities: Iterable[AuthorityConfig]) -> Driver:
    """The device's driver, not opened; one that seals has the seal of the authority of its role.

    There is one, as a configuration without it is refused, and so is one with two. Raises DriverRegistryError.
    """
    driver = load_driver(device.driver)(device.id, device.settings)
    if isinstance(driver, Sealing):
        keys = (one.public_key for one in authorities if one.role == driver.seals_to)
        driver.use_seal(seal_to(next(keys)))
    return driver


def last_recorded(driver: Driver, device: str, journal: JournalReader) -> Mapping[str, Any] | None:
    """The data from which a driver that can do so goes on; None where there is none. Raises JournalError."""
    last = newest_event(journal, device, driver.resumes) if isinstance(driver, Resuming) else None
    return None if last is None else last.data
