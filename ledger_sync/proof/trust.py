"""The trust file: whose signatures count (DESIGN 11, `trust.toml`). Needs no network and no gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, Any

from .cose import is_signed_by, key_id
from .errors import Reason
from .names import city_problem, id_problem
from .settings import Problems, SettingsError, load_toml, parse_public_key, read_settings, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .receipt import Receipt, Refusal


_JOURNAL = re.compile(r"[0-9a-f]{32}")


def _parse_journal(raw: Any) -> bytes:
    if not isinstance(raw, str) or not _JOURNAL.fullmatch(raw):
        raise ValueError("must be 32 lower-case hexadecimal digits, as `wayside journal stats` prints them")
    return bytes.fromhex(raw)


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """One `[[gateway]]` table: a key, and where in journal and log it counts. A key may have several tables."""

    id: str = setting(doc="the gateway's id", check=id_problem)
    public_key: bytes = setting(doc="its public key, as `wayside init` prints it", parse=parse_public_key)
    journal: bytes | None = setting(None, doc="only this journal", parse=_parse_journal)
    first_batch: int | None = setting(None, doc="from this batch on", minimum=1)
    last_batch: int | None = setting(None, doc="up to this batch", minimum=1)
    revoked_from_entry: int | None = setting(
        None, doc="log index (from 0) of the first anchor that is no longer accepted", minimum=0
    )

    def problem(self, journal: bytes, batch: int, entry: int) -> tuple[Reason, str] | None:
        """Why this key does not count for an anchor at log index `entry`, if so. Time plays no part in it."""
        if self.revoked_from_entry is not None and entry >= self.revoked_from_entry:
            sentence = (
                f"the key of {self.id} is revoked from log entry {self.revoked_from_entry} on; this is entry {entry}"
            )
            return Reason.KEY_REVOKED, sentence
        if self.journal is not None and journal != self.journal:
            return Reason.KEY_OUT_OF_RANGE, f"the key of {self.id} counts for journal {self.journal.hex()} only"
        if (self.first_batch or 1) > batch or batch > (self.last_batch or batch):
            last = self.last_batch or "any"
            return (
                Reason.KEY_OUT_OF_RANGE,
                f"the key of {self.id} counts for batches {self.first_batch or 1} to {last} only",
            )
        return None


def key_problem(tables: Sequence[GatewayKey], journal: bytes, batch: int, entry: int) -> tuple[Reason, str] | None:
    """Why the one key that all `tables` are about does not count for an anchor at log index `entry`, if so.

    One table whose range covers the anchor is enough; a revocation in any of them holds for the key everywhere, as a
    stolen key is stolen for every journal.
    """
    problems = [table.problem(journal, batch, entry) for table in tables]
    for problem in problems:
        if problem is not None and problem[0] is Reason.KEY_REVOKED:
            return problem
    return None if None in problems else problems[0]


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """One `[[ledger]]` table: a ledger whose receipts count."""

    id: str = setting(doc="the ledger's id", check=id_problem)
    public_key: bytes = setting(doc="its public key, as `wayside ledger init` prints it", parse=parse_public_key)


def is_answer_of(answer: Receipt | Refusal, payload: bytes, city: str, ledgers: Iterable[LedgerKey]) -> bool:
    """Whether a ledger's answer over `payload` is signed, in its own name, by one of the `ledgers` of `city`."""
    keys = (key for key in ledgers if key.id == answer.ledger and key_id(key.public_key) == answer.kid)
    return answer.city == city and any(is_signed_by(answer.envelope, payload, key.public_key) for key in keys)


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys of one city."""

    city: str = setting(doc="the city's name", check=city_problem)
    gateway: tuple[GatewayKey, ...] = setting((), doc="gateways' keys")
    ledger: tuple[LedgerKey, ...] = setting((), doc="ledgers' keys")

    def gateway_keys(self, gateway: str, kid: bytes) -> tuple[GatewayKey, ...]:
        """The tables of `gateway` with this kid (a hint: two keys may share one)."""
        return tuple(key for key in self.gateway if key.id == gateway and key_id(key.public_key) == kid)

    def ledger_keys(self, ledger: str, kid: bytes) -> tuple[LedgerKey, ...]:
        """The keys of `ledger` with this kid."""
        return tuple(key for key in self.ledger if key.id == ledger and key_id(key.public_key) == kid)


def load_trust(path: Path) -> Trust:
    """The trust file at `path`. Raises SettingsError with all its mistakes."""
    problems = Problems()
    trust = read_settings(Trust, load_toml(path), problems)
    if trust is not None and not trust.gateway:
        problems.add("gateway", "is missing; name at least one [[gateway]] with id and public_key")
    if trust is not None and not trust.ledger:
        problems.add("ledger", "is missing; name at least one [[ledger]] with id and public_key")
    check_key_ranges(trust.gateway if trust else (), problems)
    if trust is None or problems:
        raise SettingsError(str(path), tuple(problems))
    return trust


def check_gateways(tables: Sequence[GatewayKey], own: str, problems: Problems) -> None:
    """Add a problem where a ledger or an authority, whose id is `own`, could not serve these `[[gateway]]` tables."""
    if not tables:
        problems.add("gateway", "is empty; name at least one [[gateway]] with id and public_key")
    for index, key in enumerate(tables):
        if key.id == own:
            # Both would use it as their MQTT client id, and push each other off the broker.
            problems.add(f"gateway[{index}].id", f"is {key.id!r}, as this file's own id; each needs an id of its own")
    check_key_ranges(tables, problems)


def check_key_ranges(tables: Sequence[GatewayKey], problems: Problems) -> None:
    """Add a problem for each `[[gateway]]` table whose range holds no batch."""
    for index, key in enumerate(tables):
        if key.last_batch is not None and key.last_batch < (key.first_batch or 1):
            problems.add(f"gateway[{index}].last_batch", f"is {key.last_batch}, before first_batch")
