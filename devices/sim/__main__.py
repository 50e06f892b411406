"""Simulated devices as processes.

    python -m devices.sim meter-dsmr --link /tmp/meter-1 --interval-s 1 --seed 7 --noise 0.1 --truth sent.jsonl

Prints the port's path, then behaves like the device until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .fare.tapping import FareValidator
from .faults import FaultRates, Faults
from .meter.dsmr_frame import DsmrFrames
from .meter.sml_frame import SmlFrames
from .pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Sequence

METERS: dict[str, type[DsmrFrames | SmlFrames]] = {"meter-dsmr": DsmrFrames, "meter-sml": SmlFrames}
_WRITE_DEADLINE_S = 1.0
_TICK_S = 0.02


class TruthFile:
    """What was sent, one JSON object a line, flushed at once; nothing without a path."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def add(self, row: dict[str, Any]) -> None:
        """Write one row."""
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


def run_meter(
    meter: DsmrFrames | SmlFrames,
    terminal: PseudoTerminal,
    faults: Faults,
    truth: TruthFile,
    interval_s: float,
    stop: threading.Event,
) -> None:
    """Push a frame every `interval_s` until `stop`. Truth rows: `reading`, and `whole`: sent undamaged and in full."""
    while not stop.wait(interval_s):
        frame, readings = meter.frame(datetime.now(UTC))
        damaged, whole = faults.apply(frame)
        whole = terminal.write(damaged) == len(damaged) and whole
        for reading in readings:
            truth.add({"reading": reading, "whole": whole})
        if faults.unplugs():
            terminal.unplug()
            stop.wait(interval_s)
            terminal.replug()


def run_validator(
    validator: FareValidator,
    terminal: PseudoTerminal,
    faults: Faults,
    truth: TruthFile,
    interval_s: float,
    stop: threading.Event,
) -> None:
    """Tap every `interval_s` until `stop`. Truth rows: `{"sent": id, "data"}` and `{"acknowledged": id}`."""
    next_tap = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        lines = validator.resend(now)
        if now >= next_tap:
            next_tap += interval_s
            lines.append(validator.tap(now))
            tap_id = next(reversed(validator.sent))
            truth.add({"sent": tap_id, "data": validator.sent[tap_id]})
        for line in lines:
            terminal.write(faults.apply(line)[0], _WRITE_DEADLINE_S)
            if faults.unplugs():
                terminal.replug()
        for tap_id in validator.receive(terminal.read(_TICK_S)):
            truth.add({"acknowledged": tap_id})


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devices.sim",
        description="A simulated device on a pseudo-terminal. Prints the port's path; stops on SIGTERM.",
        epilog="example: python -m devices.sim meter-sml --link /tmp/meter-2 --interval-s 2 --noise 0.1",
    )
    parser.add_argument("device", choices=(*METERS, "fare-validator"))
    parser.add_argument("--link", type=Path, help="symbolic link that leads to the port, also after a replug")
    parser.add_argument("--interval-s", type=float, default=1.0, help="seconds between frames or taps (1)")
    parser.add_argument("--seed", type=int, default=1, help="0 to 4294967295: same seed, same registers and faults (1)")
    parser.add_argument("--truth", type=Path, help="file for what was sent, as JSON lines")
    for knob, what in (
        ("noise", "up to 300 random bytes before a frame"),
        ("flip", "one flipped bit in a frame"),
        ("truncate", "a frame that is cut off"),
        ("unplug", "the plug pulled after a frame, and put back"),
    ):
        parser.add_argument(f"--{knob}", type=float, default=0.0, metavar="CHANCE", help=f"0 to 1: {what} (0)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulated device; gives the exit code."""
    arguments = _arguments(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults = Faults(FaultRates(arguments.noise, arguments.flip, arguments.truncate, arguments.unplug), arguments.seed)
    file = arguments.truth.open("a", encoding="utf-8") if arguments.truth else None
    try:
        with PseudoTerminal(arguments.link) as terminal:
            sys.stdout.write(f"{terminal.path}\n")
            sys.stdout.flush()
            if arguments.device in METERS:
                meter = METERS[arguments.device](arguments.seed)
                run_meter(meter, terminal, faults, TruthFile(file), arguments.interval_s, stop)
            else:
                validator = FareValidator(arguments.seed, run=f"{time.time_ns():x}")
                run_validator(validator, terminal, faults, TruthFile(file), arguments.interval_s, stop)
    finally:
        if file is not None:
            file.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
