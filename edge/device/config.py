"""The `[[device]]` tables of gateway.toml: what every device has, and each driver's own keys."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.driver import Addressed, Evidencing, Following
from devices.registry import DriverRegistryError, load_driver
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event_types import PASSPORT, event_type
from ledger_sync.proof.names import id_problem
from ledger_sync.proof.settings import Problems, read_settings, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devices.driver import Driver

RECORD_EVERY_MIN_S = 0.1
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")


def _parse_deadband(raw: Any) -> dict[str, Decimal]:
    mend = 'must be a table of register and distance, such as { "1-0:16.7.0" = "50" }, with the distance as text'
    if not isinstance(raw, dict):
        raise ValueError(mend)  # noqa: TRY004 - one kind of error for every unusable value
    if not all(isinstance(one, str) and _DECIMAL.fullmatch(one) for one in raw.values()):
        raise ValueError(mend)
    return {str(name): Decimal(one) for name, one in raw.items()}


def _check_interval(every_s: float) -> str | None:
    if 0 < every_s < RECORD_EVERY_MIN_S:
        return f"is {every_s:g}; must be 0 (every reading), or at least {RECORD_EVERY_MIN_S}"
    return None


def _parse_passport(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError("must be a table: [device.passport]")  # noqa: TRY004 - one kind of error
    if not raw:
        raise ValueError("is empty; say what is known of the device, or leave it out")
    data: dict[str, Any] = {}
    mistakes = []
    for key, value in raw.items():  # each alone, so that all mistakes are told at once; no field needs another
        try:
            data |= event_type(PASSPORT).check({key: value})
        except SchemaError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return data


@dataclass(frozen=True, slots=True)
class CommonSettings:
    """Keys that every `[[device]]` may have beside its driver's own."""

    id: str = setting(doc="the device's id", check=id_problem)
    driver: str = setting(doc="the name of its driver")
    record_every_s: float | None = setting(
        None,
        doc="how often what is measured is recorded; 0 is every reading; default 900 for meters and counters",
        minimum=0,
        maximum=86_400,
        check=_check_interval,
    )
    record_on_change: bool = setting(
        default=True, doc="record a state (bay, contact, phase) when it changes, and not when it is merely told again"
    )
    deadband: dict[str, Decimal] | None = setting(
        None, doc="how far a register moves before it is recorded out of turn", parse=_parse_deadband
    )
    role: str | None = setting(None, doc='"tamper" for the contact of the cabinet\'s door', choices=("tamper",))
    passport: dict[str, Any] | None = setting(None, doc="what is known of the device", parse=_parse_passport)


COMMON_KEYS = frozenset(field.name for field in dataclasses.fields(CommonSettings))


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One `[[device]]` table: what every device has, and its driver's own settings."""

    common: CommonSettings
    settings: Any

    @property
    def id(self) -> str:
        """The device's id."""
        return self.common.id

    @property
    def driver(self) -> str:
        """The name of its driver."""
        return self.common.driver


def read_devices(
    tables: Iterable[Mapping[str, Any]], folder: Path, gateway: object, problems: Problems
) -> list[tuple[int, DeviceConfig]]:
    """The usable devices with their place in the file; mistakes, also those between devices, go to `problems`.

    Paths begin at `folder`.
    """
    devices = []
    for index, table in enumerate(tables):
        device = read_device(table, folder, problems, f"device[{index}]")
        if device is not None:
            devices.append((index, device))
    _check_ids(tables, gateway, problems)
    _check_ports(devices, problems)
    _check_followed(devices, tables, problems)
    return devices


def read_device(table: Mapping[str, Any], folder: Path, problems: Problems, place: str) -> DeviceConfig | None:
    """One device, or None when `problems` was added to."""
    common = read_settings(
        CommonSettings, {key: one for key, one in table.items() if key in COMMON_KEYS}, problems, place
    )
    driver = table.get("driver")
    driver_class = _driver(driver, problems, place) if isinstance(driver, str) else None
    if driver_class is None:
        return None
    own = {key: _located(key, one, folder) for key, one in table.items() if key not in COMMON_KEYS}
    settings = read_settings(driver_class.Settings, own, problems, place)
    if common is None or settings is None:
        return None
    return DeviceConfig(common, _with_paths_from(settings, folder))


def check_sealing(devices: Iterable[tuple[int, DeviceConfig]], roles: set[str], problems: Problems) -> None:
    """Each device that seals has an authority that can open it."""
    for index, device in devices:
        for role in authority_roles(device):
            if role not in roles:
                mend = f'name an [[authority]] with role = "{role}"; `wayside authority init` makes its key'
                problems.add(f"device[{index}]", f"{device.driver!r} reads what only an authority may open: {mend}")


def authority_roles(device: DeviceConfig) -> tuple[str, ...]:
    """The roles of the authorities to which the device seals what it reads, or its evidence."""
    driver_class = load_driver(device.driver)
    role = getattr(driver_class, "seals_to", None)  # of devices.driver.Sealing
    evidence = driver_class.evidence_roles(device.settings) if issubclass(driver_class, Evidencing) else ()
    return evidence if role is None else (role, *evidence)


def _driver(name: str, problems: Problems, place: str) -> type[Driver] | None:
    try:
        return load_driver(name)
    except DriverRegistryError as error:
        problems.add(f"{place}.driver", str(error))
        return None


def _check_ids(tables: Iterable[Mapping[str, Any]], gateway: object, problems: Problems) -> None:
    """Ids are the device's name in every event."""
    ids = [gateway]
    for index, table in enumerate(tables):
        device = table.get("id")
        if isinstance(device, str) and device in ids:
            whose = "the gateway's" if device == gateway else "another device's"
            problems.add(f"device[{index}].id", f"is {device!r}, {whose} id too; give it one of its own")
        ids.append(device)


def _check_ports(devices: Iterable[tuple[int, DeviceConfig]], problems: Problems) -> None:
    """A port has one reader, or several of one driver at different addresses."""
    taken: dict[str, dict[str, str]] = {}
    for index, device in devices:
        port = getattr(device.settings, "port", None)
        if not isinstance(port, str):
            continue
        driver_class = load_driver(device.driver)
        address = driver_class.address(device.settings) if issubclass(driver_class, Addressed) else ""
        others = taken.setdefault(port, {})
        if others and (address == "" or device.driver not in others.values()):
            problems.add(f"device[{index}].port", f"is {port!r}, another device's port too; a port has one reader")
        elif address in others:
            problems.add(f"device[{index}]", f"is at {address} of {port}, where another device is; correct one")
        others[address] = device.driver


def _check_followed(
    devices: Iterable[tuple[int, DeviceConfig]], tables: Iterable[Mapping[str, Any]], problems: Problems
) -> None:
    """Who follows a device follows another one that there is."""
    ids = {table.get("id") for table in tables if isinstance(table.get("id"), str)}
    for index, device in devices:
        driver_class = load_driver(device.driver)
        followed = driver_class.follows(device.settings) if issubclass(driver_class, Following) else None
        if followed is not None and followed not in ids - {device.id}:
            problems.add(f"device[{index}]", f"follows {followed!r}, the id of no other [[device]]; name one that is")


def _located(key: str, value: Any, folder: Path) -> Any:
    """A port as its driver gets it: a path begins at the configuration's folder, a URL stays as it is."""
    if key != "port" or not isinstance(value, str) or not value or "://" in value:
        return value
    return str(folder / value)


def _with_paths_from(settings: Any, folder: Path) -> Any:
    paths = {
        field.name: folder / value
        for field in dataclasses.fields(settings)
        if isinstance(value := getattr(settings, field.name), Path)
    }
    return dataclasses.replace(settings, **paths)
