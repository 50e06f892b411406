"""`wayside sim run` and `check`: places full of simulated devices."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, FAILS, CannotTryError, add_noun, add_verb, print_json, print_line, seconds
from edge.cli.progress import ProgressLine

if TYPE_CHECKING:
    import argparse
    import asyncio

    from edge.harness.place import Place
    from edge.harness.run import Progress
    from edge.harness.verdict import DeviceVerdict

_PROBLEMS_SHOWN = 5


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    sim = add_noun(
        verbs,
        "sim",
        summary="simulated places: run one, and hold a journal against what really happened there",
        example="  wayside sim run intersection --folder /tmp/crossing --gateway\n"
        "  wayside sim check /tmp/crossing/truth.jsonl --config /tmp/crossing/gateway.toml",
    )
    run = add_verb(
        sim,
        "run",
        _run,
        summary="run a scenario (one that ships, or a TOML file) until its time is over or SIGTERM",
        example="  wayside sim run street --folder /tmp/street     the devices; give a gateway their devices.toml\n"
        "  wayside sim run intersection --folder /tmp/crossing --gateway --seconds 60",
    )
    run.add_argument(
        "scenario",
        metavar="SCENARIO",
        help="intersection, signalled-junction, bus-line, street, car-park, tram-stop, or a file's path",
    )
    run.add_argument("--folder", type=Path, required=True, metavar="DIR", help="where ports, truth and logs lie")
    run.add_argument("--gateway", action="store_true", help="run a gateway and a ledger with it")
    run.add_argument("--broker", metavar="URL", help="the MQTT broker; the embedded one if none is named")
    run.add_argument("--seconds", type=seconds, metavar="S", help="how long; the scenario says if this does not")
    check = add_verb(
        sim,
        "check",
        _check,
        summary="hold a gateway's journal against the truth: every event once, right, in order, declared gaps only",
        example="  wayside sim check /tmp/crossing/truth.jsonl --config /tmp/crossing/gateway.toml",
        config="the gateway's configuration (gateway.toml)",
    )
    check.add_argument("truth", type=Path, metavar="TRUTH", help="what `sim run` wrote: truth.jsonl")


def _run(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from edge.cli.running import run_until_signal
    from edge.harness.errors import HarnessError
    from edge.harness.run import run_scenario
    from edge.harness.scenario import load_scenario

    try:
        scenario = load_scenario(options.scenario)
        if options.seconds is not None:
            scenario = replace(scenario, duration_s=options.seconds)
        results: list[Progress] = []

        async def run(stop: asyncio.Event) -> None:
            with ProgressLine(_progress_text) as line:
                results.append(
                    await run_scenario(
                        scenario,
                        options.folder.absolute(),
                        stop,
                        broker=options.broker,
                        with_gateway=options.gateway,
                        tell=line,
                        ready=lambda place: _tell_place(place, with_gateway=options.gateway),
                    )
                )

        run_until_signal(run)
    except HarnessError as error:
        raise CannotTryError(str(error)) from error
    (progress,) = results
    if options.json:
        print_json({"folder": str(options.folder), **asdict(progress)})
    else:
        print_line(f"{progress.devices} devices said {progress.said} things in {progress.passed_s:.0f} s")
        told = f"{options.folder}/truth.jsonl --config {options.folder}/gateway.toml"
        print_line(f"hold the journal against them: wayside sim check {told}")
    return DONE


def _tell_place(place: Place, *, with_gateway: bool) -> None:
    if not with_gateway:
        sys.stderr.write(f"the devices are there; their [[device]] tables: {place.folder / 'devices.toml'}\n")


def _progress_text(progress: Progress) -> str:
    kills = f", gateway killed {progress.kills} times" if progress.kills else ""
    passed = f"{progress.passed_s:5.0f} of {progress.duration_s:.0f} s"
    return f"{passed}: {progress.devices} devices said {progress.said} things{kills}"


def _check(options: argparse.Namespace) -> int:
    from edge.config import load_gateway_config
    from edge.harness.check import check
    from edge.harness.errors import HarnessError
    from edge.harness.recorded import recorded_in
    from edge.harness.truth import read_truth

    config = load_gateway_config(options.config)
    try:
        truth = read_truth(options.truth)
        verdicts = check(truth, recorded_in(config.place.data_dir), {one.id: one.common for one in config.devices})
    except HarnessError as error:
        raise CannotTryError(str(error)) from error
    holds = not any(verdict.problems for verdict in verdicts)
    if options.json:
        print_json({"holds": holds, "devices": [asdict(verdict) for verdict in verdicts]})
    else:
        _print_verdicts(verdicts, holds=holds)
    return DONE if holds else FAILS


def _print_verdicts(verdicts: list[DeviceVerdict], *, holds: bool) -> None:
    columns = ("said", "recorded", "thinned", "in_gaps", "unsure")
    print_line(f"{'device':<24}" + "".join(f"{name:>10}" for name in columns) + "  gaps")
    for verdict in verdicts:
        counts = "".join(f"{getattr(verdict, name):>10}" for name in columns)
        print_line(f"{verdict.device:<24}{counts}  {verdict.gap_s:.1f} s{'' if not verdict.problems else '  FAILS'}")
        for note in verdict.notes:
            print_line(f"    {note}")
        for problem in verdict.problems[:_PROBLEMS_SHOWN]:
            print_line(f"    {problem}")
        if len(verdict.problems) > _PROBLEMS_SHOWN:
            print_line(f"    ... and {len(verdict.problems) - _PROBLEMS_SHOWN} more")
    said, recorded = sum(one.said for one in verdicts), sum(one.recorded for one in verdicts)
    print_line(f"{said} said, {recorded} recorded: {'every one accounted for' if holds else 'DOES NOT HOLD'}")
