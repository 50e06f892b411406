"""A gateway that can be told where to die: `python -m tests.faults.gateway_process --config F --kill-at STEP:N`.

It is `wayside run` but for three things: the crash point; waits after a failure that are cut short, so that a storm of
kills does not take hours; and, for the test that has to fail, a journal that is opened with less than FULL.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import broker.session
import edge.journal.writer
import ledger_sync.anchorer
from edge.cli.running import run_until_signal
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from edge.journal.schema import open_to_write
from tests.support.kill_at import KillAt

if TYPE_CHECKING:
    import sqlite3

BACKOFF_MAX_S = 0.5
RESEND_FIRST_S = 0.5
RESEND_MAX_S = 1.0


def _open_with(synchronous: str) -> None:
    def opened(path: Path) -> sqlite3.Connection:
        connection = open_to_write(path)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        return connection

    setattr(edge.journal.writer, "open_to_write", opened)  # noqa: B010 - the name is not exported there


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="")
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL", "OFF"), default="FULL")
    options = parser.parse_args()
    broker.session.BACKOFF_MAX_S = BACKOFF_MAX_S
    ledger_sync.anchorer.RESEND_FIRST_S = RESEND_FIRST_S
    ledger_sync.anchorer.RESEND_MAX_S = RESEND_MAX_S
    if options.synchronous != "FULL":
        _open_with(options.synchronous)
    config = load_gateway_config(options.config)
    run_until_signal(lambda stop: run_gateway(config, stop, step=KillAt(options.kill_at)))


if __name__ == "__main__":
    main()
