"""ledger.toml: the settings of a city ledger (DESIGN 11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time

from broker.url import BrokerSettings  # noqa: TC001 - the settings reader resolves annotations at run time
from ledger_sync.proof.names import city_problem, id_problem
from ledger_sync.proof.settings import (
    Problems,
    SettingsError,
    load_part,
    load_toml,
    parse_folder,
    read_settings,
    setting,
)
from ledger_sync.proof.trust import GatewayKey, check_gateways


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Who a ledger is and where it keeps its data: all that `wayside ledger init` needs."""

    city: str = setting(doc="the city's name", check=city_problem)
    id: str = setting(doc="the ledger's id", check=id_problem)
    data_dir: Path = setting(doc="the folder for its key and its log", parse=parse_folder)

    @property
    def key_path(self) -> Path:
        """The file of its secret key."""
        return self.data_dir / "identity" / "ledger.key"

    @property
    def log_path(self) -> Path:
        """The file of its log."""
        return self.data_dir / "log.sqlite"


@dataclass(frozen=True, slots=True)
class LedgerSettings(LedgerPlace):
    """The whole of ledger.toml."""

    broker: BrokerSettings = setting(doc="a [broker] table with url")
    gateway: tuple[GatewayKey, ...] = setting(doc="at least one [[gateway]] with id and public_key")


def load_ledger_place(path: Path) -> LedgerPlace:
    """City, id and data_dir of the file at `path`; the rest of it may still be missing or wrong.

    Raises SettingsError with all mistakes in these three.
    """
    place = load_part(LedgerPlace, path)
    return replace(place, data_dir=path.parent / place.data_dir)


def load_ledger_settings(path: Path) -> LedgerSettings:
    """The settings in the file at `path`, its own folder being where relative paths begin.

    Raises SettingsError with all its mistakes.
    """
    problems = Problems()
    settings = read_settings(LedgerSettings, load_toml(path), problems)
    if settings is not None:
        check_gateways(settings.gateway, settings.id, problems)
    if settings is None or problems:
        raise SettingsError(str(path), tuple(problems))
    return replace(settings, data_dir=path.parent / settings.data_dir)
