"""An authority that can be told where to die: `python -m tests.faults.authority_process --config F --kill-at S:N`.

It fills a disk to the last byte, as nothing is held back for others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import broker.session
import edge.evidence.shelf
from edge.authority import load_authority_settings
from edge.cli.running import run_until_signal
from edge.evidence.service import serve
from tests.support.kill_at import KillAt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="")
    options = parser.parse_args()
    broker.session.BACKOFF_MAX_S = 0.5
    edge.evidence.shelf.DISK_RESERVE_BYTES = 0
    settings = load_authority_settings(options.config)
    run_until_signal(lambda stop: serve(settings, stop, step=KillAt(options.kill_at)))


if __name__ == "__main__":
    main()
