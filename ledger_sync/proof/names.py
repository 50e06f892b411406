"""Names that are signed or are topics: cities, gateways, ledgers, devices, shards, journals."""

from __future__ import annotations

import re

from .errors import MalformedError

CITY_BYTES_MAX = 32
SHARD_NAME_BYTES_MAX = 16
JOURNAL_ID_BYTES = 16

_SHARD_NAME = re.compile(rf"[a-z0-9-]{{1,{SHARD_NAME_BYTES_MAX}}}")
_ID = re.compile(r"[a-z0-9-]{1,32}")
_CITY_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_CITY = re.compile(rf"{_CITY_LABEL}(?:\.{_CITY_LABEL})*")


def id_problem(value: str) -> str | None:
    """What is wrong with a gateway's, ledger's or device's id, if anything."""
    if _ID.fullmatch(value):
        return None
    return f"is {value[:80]!r}; 1 to 32 of the characters a-z, 0-9 and hyphen"


def city_problem(value: str) -> str | None:
    """What is wrong with a city's name, if anything."""
    if len(value) <= CITY_BYTES_MAX and _CITY.fullmatch(value):
        return None
    return (
        f"is {value[:80]!r}; a lower-case domain name or label of at most {CITY_BYTES_MAX} characters, "
        "such as example.org"
    )


def shard_problem(value: str) -> str | None:
    """What is wrong with the name of a ledger's log shard, if anything."""
    if _SHARD_NAME.fullmatch(value):
        return None
    return f"is {value[:80]!r}; 1 to {SHARD_NAME_BYTES_MAX} of the characters a-z, 0-9 and hyphen"


def issuer(city: str, name: str) -> str:
    """The iss claim of a gateway or a ledger: `<city>/<id>`."""
    return f"{city}/{name}"


def parse_issuer(iss: str) -> tuple[str, str]:
    """(city, id) of an iss claim. Raises MalformedError."""
    city, slash, name = iss.partition("/")
    if not slash or city_problem(city) or id_problem(name):
        raise MalformedError(f"has the issuer {iss[:80]!r}, which is not <city>/<id>")
    return city, name
