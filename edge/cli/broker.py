"""`wayside broker run`: the embedded broker, for demos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, CannotTryError, add_noun, add_verb

if TYPE_CHECKING:
    import argparse


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    broker = add_noun(verbs, "broker", summary="the embedded broker, for demos", example="  wayside broker run")
    run = add_verb(
        broker,
        "run",
        _run,
        summary="run the embedded broker on loopback until SIGTERM; for demos, not for a city",
        example="  wayside broker run --port 1883",
        json_output=False,
    )
    run.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    run.add_argument("--port", type=int, default=1883, help="its port (default: %(default)s)")


def _run(options: argparse.Namespace) -> int:
    from broker.embedded import EmbeddedBrokerError, run_embedded

    try:
        run_embedded(options.host, options.port)
    except EmbeddedBrokerError as error:
        raise CannotTryError(str(error)) from error
    return DONE
