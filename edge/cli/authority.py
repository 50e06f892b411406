"""`wayside authority init|run`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, add_noun, add_verb
from edge.cli.identity import Identity, ensure_sample, tell_identity
from edge.cli.samples import AUTHORITY_TOML

if TYPE_CHECKING:
    import argparse

_CONFIG = "the authority's configuration (authority.toml)"


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    authority = add_noun(
        verbs,
        "authority",
        summary="who may open what gateways seal, and keeps evidence: a transit operator, a traffic office, a utility",
        example="  wayside authority init --config authority.toml",
    )
    add_verb(
        authority,
        "init",
        _init,
        summary="make the authority's keys, and a sample configuration where there is none; idempotent",
        example="  wayside authority init --config authority.toml --json",
        config=_CONFIG,
    )
    add_verb(
        authority,
        "run",
        _run,
        summary="take evidence from gateways and keep it sealed, until SIGTERM",
        example="  wayside authority run --config authority.toml",
        config=_CONFIG,
        json_output=False,
    )


def _init(options: argparse.Namespace) -> int:
    from edge.authority import load_authority_key, load_authority_place
    from edge.sealing import AUTHORITY_ROLES
    from ledger_sync.proof.cose import CURVE_X25519, thumbprint
    from ledger_sync.proof.keyfile import Algorithm, load_key, make_key

    role = options.config.stem if options.config.stem in AUTHORITY_ROLES else "transit"
    ensure_sample(options.config, AUTHORITY_TOML.format(role=role))
    place = load_authority_place(options.config)
    is_new = make_key(place.key_path, Algorithm.X25519)
    make_key(place.signing_key_path)
    public_key = bytes(load_authority_key(place.key_path).public_key)
    signing_key = load_key(place.signing_key_path).public_key
    fingerprint = thumbprint(public_key, CURVE_X25519).hex()
    tell_identity(
        Identity(place.id, public_key, fingerprint, place.key_path, is_new),
        as_json=options.json,
        table="authority",
        where="the configuration of each gateway that seals to it",
        role=place.role,
        signing_key=base64.b64encode(signing_key).decode(),
    )
    return DONE


def _run(options: argparse.Namespace) -> int:
    from edge.authority import load_authority_settings
    from edge.cli.running import run_until_signal
    from edge.evidence.service import serve

    settings = load_authority_settings(options.config)
    run_until_signal(lambda stop: serve(settings, stop))
    return DONE
