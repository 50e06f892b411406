"""A ledger that can be told where to die: `python -m tests.faults.ledger_process --config F --kill-at STEP:N`."""

from __future__ import annotations

import argparse
from pathlib import Path

import broker.session
from edge.cli.running import run_until_signal
from ledger_sync.city.service import serve
from ledger_sync.city.settings import load_ledger_settings
from tests.support.kill_at import KillAt

BACKOFF_MAX_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="")
    options = parser.parse_args()
    broker.session.BACKOFF_MAX_S = BACKOFF_MAX_S
    settings = load_ledger_settings(options.config)
    run_until_signal(lambda stop: serve(settings, stop, step=KillAt(options.kill_at)))


if __name__ == "__main__":
    main()
