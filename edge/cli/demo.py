"""`wayside demo`: the whole way in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import CannotTryError, add_verb

if TYPE_CHECKING:
    import argparse

_EXTRA = ("iotcore", "rich")


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
    from importlib.util import find_spec

    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise CannotTryError(f"the demo needs {' and '.join(missing)}, not installed; run: pip install 'wayside[demo]'")
    from edge.demo.run import run_demo

    return run_demo(as_json=options.json)
