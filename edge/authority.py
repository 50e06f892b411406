"""An authority: who may open what gateways seal. Its configuration, and its key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time

from nacl.public import PrivateKey

from edge.sealing import AUTHORITY_ROLES
from ledger_sync.proof.keyfile import Algorithm, load_secret
from ledger_sync.proof.names import city_problem, id_problem
from ledger_sync.proof.settings import load_part, parse_folder, setting


@dataclass(frozen=True, slots=True)
class AuthorityPlace:
    """authority.toml: who an authority is and where it keeps its key."""

    city: str = setting(doc="the city's name", check=city_problem)
    id: str = setting(doc="the authority's id", check=id_problem)
    role: str = setting(doc="what it may open", choices=AUTHORITY_ROLES)
    data_dir: Path = setting(doc="the folder for its identity", parse=parse_folder)

    @property
    def key_path(self) -> Path:
        """The file of the X25519 key."""
        return self.data_dir / "identity" / "authority.key"


def load_authority_place(path: Path) -> AuthorityPlace:
    """The authority of the file at `path`, whose folder is where data_dir begins. Raises SettingsError."""
    place = load_part(AuthorityPlace, path)
    return replace(place, data_dir=path.parent / place.data_dir)


def load_authority_key(path: Path) -> PrivateKey:
    """The X25519 key in the file at `path`. Raises KeyFileError."""
    return PrivateKey(load_secret(path, Algorithm.X25519))
