"""`wayside ledger init|run|status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, add_noun, add_verb, print_json, print_line
from edge.cli.identity import ensure_identity, ensure_sample
from edge.cli.samples import LEDGER_TOML

if TYPE_CHECKING:
    import argparse

_CONFIG = "the ledger's configuration (ledger.toml)"


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    ledger = add_noun(
        verbs,
        "ledger",
        summary="the city ledger: identity, service, status",
        example="  wayside ledger run --config ledger.toml",
    )
    add_verb(
        ledger,
        "init",
        _init,
        summary="make the ledger's identity, and a sample configuration where there is none; idempotent",
        example="  wayside ledger init --config ledger.toml --json",
        config=_CONFIG,
    )
    add_verb(
        ledger,
        "run",
        _run,
        summary="run the ledger until SIGTERM",
        example="  wayside ledger run --config ledger.toml",
        config=_CONFIG,
        json_output=False,
    )
    add_verb(
        ledger,
        "status",
        _status,
        summary="show size, root, last entry, each gateway's journals and heads, refusals",
        example="  wayside ledger status --config ledger.toml",
        config=_CONFIG,
    )


def _init(options: argparse.Namespace) -> int:
    from ledger_sync.city.settings import load_ledger_place

    ensure_sample(options.config, LEDGER_TOML)
    place = load_ledger_place(options.config)
    return ensure_identity(place.id, place.key_path, as_json=options.json, table="ledger")


def _run(options: argparse.Namespace) -> int:
    from edge.cli.running import run_until_signal
    from ledger_sync.city.service import serve
    from ledger_sync.city.settings import load_ledger_settings

    settings = load_ledger_settings(options.config)
    run_until_signal(lambda stop: serve(settings, stop))
    return DONE


def _status(options: argparse.Namespace) -> int:
    from ledger_sync.city.settings import load_ledger_place
    from ledger_sync.city.status import ledger_status

    status = ledger_status(load_ledger_place(options.config))
    if options.json:
        print_json(status)
        return DONE
    print_line(f"ledger {status['city']}/{status['id']}: {status['size']} entries, root {status['root']}")
    for gateway, journals in status["gateways"].items():
        for journal, head in journals.items():
            print_line(f"  {gateway}  journal {journal}  batch {head['batch']}, next event {head['next_sequence']}")
    refusals = sum(row["count"] for row in status["refusals"])
    print_line(f"  refusals {refusals}, contradictions {len(status['contradictions'])}")
    return DONE
