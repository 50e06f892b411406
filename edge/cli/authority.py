"""`wayside authority init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, add_noun, add_verb
from edge.cli.identity import Identity, ensure_sample, tell_identity
from edge.cli.samples import AUTHORITY_TOML

if TYPE_CHECKING:
    import argparse


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    authority = add_noun(
        verbs,
        "authority",
        summary="who may open what gateways seal: a transit operator, a traffic office, a utility",
        example="  wayside authority init --config authority.toml",
    )
    add_verb(
        authority,
        "init",
        _init,
        summary="make the authority's key, and a sample configuration where there is none; idempotent",
        example="  wayside authority init --config authority.toml --json",
        config="the authority's configuration (authority.toml)",
    )


def _init(options: argparse.Namespace) -> int:
    from edge.authority import load_authority_key, load_authority_place
    from ledger_sync.proof.cose import CURVE_X25519, thumbprint
    from ledger_sync.proof.keyfile import Algorithm, make_key

    ensure_sample(options.config, AUTHORITY_TOML)
    place = load_authority_place(options.config)
    is_new = make_key(place.key_path, Algorithm.X25519)
    public_key = bytes(load_authority_key(place.key_path).public_key)
    fingerprint = thumbprint(public_key, CURVE_X25519).hex()
    tell_identity(
        Identity(place.id, public_key, fingerprint, place.key_path, is_new),
        as_json=options.json,
        table="authority",
        where="the configuration of each gateway that seals to it",
        role=place.role,
    )
    return DONE
