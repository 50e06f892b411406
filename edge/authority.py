"""An authority: who may open what gateways seal, and who keeps evidence. Its configuration, and its keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time

from nacl.public import PrivateKey

from broker.url import BrokerSettings  # noqa: TC001 - the settings reader resolves annotations at run time
from edge.sealing import AUTHORITY_ROLES
from ledger_sync.proof.keyfile import Algorithm, load_secret
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
class AuthorityPlace:
    """Who an authority is and where it keeps its keys: all that `wayside authority init` needs of authority.toml."""

    city: str = setting(doc="the city's name", check=city_problem)
    id: str = setting(doc="the authority's id", check=id_problem)
    role: str = setting(doc="what it may open", choices=AUTHORITY_ROLES)
    data_dir: Path = setting(doc="the folder for its identity, and for evidence", parse=parse_folder)

    @property
    def key_path(self) -> Path:
        """The file of the X25519 key, which opens."""
        return self.data_dir / "identity" / "authority.key"

    @property
    def signing_key_path(self) -> Path:
        """The file of the Ed25519 key, which acknowledges."""
        return self.data_dir / "identity" / "signing.key"


@dataclass(frozen=True, slots=True)
class AuthorityOffice(AuthorityPlace):
    """What opening evidence needs of authority.toml: whose signatures count."""

    gateway: tuple[GatewayKey, ...] = setting((), doc="whose evidence it takes: [[gateway]] with id and public_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoritySettings(AuthorityOffice):
    """The whole of authority.toml."""

    broker: BrokerSettings = setting(doc="a [broker] table with url")
    size_max_mb: int = setting(65_536, doc="of all evidence together", minimum=1, maximum=1 << 24)


def load_authority_place(path: Path) -> AuthorityPlace:
    """The authority of the file at `path`, whose folder is where data_dir begins. Raises SettingsError."""
    place = load_part(AuthorityPlace, path)
    return replace(place, data_dir=path.parent / place.data_dir)


def load_authority_office(path: Path) -> AuthorityOffice:
    """The authority of the file at `path` and its gateways' keys; the rest may be missing. Raises SettingsError."""
    office = load_part(AuthorityOffice, path)
    return replace(office, data_dir=path.parent / office.data_dir)


def load_authority_settings(path: Path) -> AuthoritySettings:
    """The settings in the file at `path`, whose folder is where data_dir begins. Raises SettingsError."""
    problems = Problems()
    settings = read_settings(AuthoritySettings, load_toml(path), problems)
    if settings is not None:
        check_gateways(settings.gateway, settings.id, problems)
    if settings is None or problems:
        raise SettingsError(str(path), tuple(problems))
    return replace(settings, data_dir=path.parent / settings.data_dir)


def load_authority_key(path: Path) -> PrivateKey:
    """The X25519 key in the file at `path`. Raises KeyFileError."""
    return PrivateKey(load_secret(path, Algorithm.X25519))
