"""A ledger in a process of its own that kills itself: python -m … LEDGER_TOML [STEP].

Prints `ready` once it is subscribed, and dies by SIGKILL the first time that it reaches STEP.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from edge.cli.running import run_until_signal
from ledger_sync.city.service import serve
from ledger_sync.city.settings import load_ledger_settings


def main() -> None:
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""

    def step(name: str) -> None:
        if name == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = load_ledger_settings(Path(sys.argv[1]))
    run_until_signal(lambda stop: serve(settings, stop, step=step))


if __name__ == "__main__":
    main()
