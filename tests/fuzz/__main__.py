"""`make fuzz`: mutates the inputs of all parsers, or of those named, until Ctrl-C; keeps what breaks one in finds/.

`python -m tests.fuzz TARGET --input FILE` tries one input again. Exit code 1 where something was found.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.fuzz.campaign import Campaign
from tests.fuzz.judging import Found
from tests.fuzz.keeping import keep, replay
from tests.fuzz.table import TARGETS

_TURN_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long in all; without it until Ctrl-C")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="the same, the same inputs"
    )
    parser.add_argument("--input", type=Path, metavar="FILE", help="try this input of TARGET only")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"no target is named {', '.join(sorted(unknown))}")
    if chosen.input is not None:
        if len(chosen.targets) != 1:
            parser.error("--input needs one TARGET")
        return _replay(chosen.targets[0], chosen.input)
    campaigns = [Campaign(TARGETS[name], chosen.seed) for name in chosen.targets or TARGETS]
    sys.stdout.write(f"seed {chosen.seed}\n")
    return _run(campaigns, chosen.seconds)


def _replay(name: str, file: Path) -> int:
    try:
        replay(name, file.read_bytes())
    except Found as found:
        sys.stdout.write(f"{name}: {found}\n")
        return 1
    sys.stdout.write(f"{name}: nothing wrong\n")
    return 0


def _run(campaigns: list[Campaign], seconds: float) -> int:
    end_s = time.monotonic() + seconds
    turn_s = min(_TURN_S, seconds / len(campaigns))
    try:
        while (left_s := end_s - time.monotonic()) > 0:
            for campaign in campaigns:
                _take_turn(campaign, min(turn_s, left_s))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    return 1 if any(campaign.finds for campaign in campaigns) else 0


def _take_turn(campaign: Campaign, turn_s: float) -> None:
    before, known, begin_s = campaign.executions, set(campaign.finds), time.monotonic()
    campaign.run(turn_s)
    rate = (campaign.executions - before) / (time.monotonic() - begin_s)
    pool, finds = len(campaign.pool), len(campaign.finds)
    cost = f"{1e6 * campaign.costliest_s:6.0f} us/byte at most"
    sys.stdout.write(f"{campaign.target.name:18}{rate:7.0f} inputs/s{pool:5} kinds of outcome{finds:3} finds {cost}\n")
    for kind, find in campaign.finds.items():
        if kind not in known:
            sys.stdout.write(f"  {find.sentence}\n    {keep(campaign.target.name, find.data, find.sentence)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
