"""One simulated device as a process.

    python -m devices.sim meter-dsmr --link /tmp/meter-1 --interval-s 1 --seed 7 --noise 0.1 --truth sent.jsonl

Prints where it is (its port), then behaves like the device until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .device import DeviceClock, Placement, Truth
from .faults import FaultRates
from .kinds import KINDS, simulated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .device import SimulatedDevice

_RATES = (
    ("noise", "up to 300 random bytes before a frame"),
    ("flip", "one flipped bit in a frame"),
    ("truncate", "a frame that is cut off"),
    ("unplug", "the plug pulled after a frame, and put back"),
)


async def run_until_signalled(device: SimulatedDevice) -> None:
    """Start the device, print its settings' place, run it until SIGTERM or SIGINT."""
    await device.start()
    settings = device.settings()
    sys.stdout.write(f"{settings.get('port') or json.dumps(settings)}\n")
    sys.stdout.flush()
    running = asyncio.ensure_future(device.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devices.sim",
        description="A simulated device on its own transport. Prints its port; stops on SIGTERM.",
        epilog="example: python -m devices.sim meter-sml --link /tmp/meter-2 --interval-s 2 --noise 0.1",
    )
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "--link",
        type=Path,
        default=Path("device"),
        metavar="PATH",
        help="its place: the link that leads to its port, also after a replug (device)",
    )
    parser.add_argument("--interval-s", type=float, default=1.0, help="seconds between two things that it says (1)")
    parser.add_argument("--seed", type=int, default=1, help="0 to 4294967295: same seed, same registers and faults (1)")
    parser.add_argument("--truth", type=Path, help="file for what was said, as JSON lines")
    parser.add_argument("--drift-ppm", type=float, default=0.0, help="how wrong its clock runs (0)")
    parser.add_argument("--slow-s", type=float, default=0.0, help="how late its answers are at most (0)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="what this kind alone knows, as JSON or text"
    )
    for knob, what in _RATES:
        parser.add_argument(f"--{knob}", type=float, default=0.0, metavar="CHANCE", help=f"0 to 1: {what} (0)")
    return parser.parse_args(argv)


def _option(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulated device; gives the exit code."""
    arguments = _arguments(argv)
    placement = Placement(
        id=arguments.link.name,
        seed=arguments.seed,
        folder=arguments.link.parent,
        interval_s=arguments.interval_s,
        clock=DeviceClock(drift_ppm=arguments.drift_ppm),
        faults=FaultRates(
            arguments.noise, arguments.flip, arguments.truncate, arguments.unplug, slow_s=arguments.slow_s
        ),
        options=dict(_option(one) for one in arguments.option),
    )
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(arguments.truth.open("a", encoding="utf-8")) if arguments.truth else None
        asyncio.run(run_until_signalled(simulated(arguments.kind)(placement, Truth(file))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
