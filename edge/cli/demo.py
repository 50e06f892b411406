"""`wayside demo`: the whole way in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import add_verb

if TYPE_CHECKING:
    import argparse


def add_verbs(verbs: Any) -> None:
    """Add this room's verb."""
    add_verb(
        verbs,
        "demo",
        _demo,
        summary="run a broker, a ledger, a gateway and simulated devices; pull the plug; prove an event",
        example="  wayside demo",
    )


def _demo(options: argparse.Namespace) -> int:
    from edge.demo import run_demo

    return run_demo(as_json=options.json)
