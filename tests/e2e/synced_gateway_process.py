"""`wayside run` as on a machine whose clock is synced: nobody runs a red light by a clock that is not."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge import clock
from edge.cli.running import run_until_signal
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from ledger_sync.proof.event import CLOCK_SYNCED, ClockState


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    config = load_gateway_config(parser.parse_args().config)
    clock.read_clock_state = lambda: ClockState(CLOCK_SYNCED, 2_000, "kernel", authenticated=False)
    run_until_signal(lambda stop: run_gateway(config, stop))


if __name__ == "__main__":
    main()
