"""The demo as a whole: a directory, the parts, the story, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.error_groups import leaves
from edge.harness.errors import HarnessError
from edge.journal.errors import JournalError
from ledger_sync.city.errors import LedgerError

from .audit import audit
from .camera import open_speeding
from .closing import Result, result_json, result_text
from .errors import DemoFailedError
from .figures import Sampler
from .film import FilmWatch
from .places import VALIDATOR, lay_out
from .processes import Processes
from .proof import prove_tap
from .screen import screen_on
from .story import Story
from .validator import TappingValidator
from .watch import GatewayWatch

if TYPE_CHECKING:
    from .camera import Speeding
    from .places import Places
    from .screen import Screen
    from .story import Outage

RUN_MAX_S = 58.0
LOOK_S = 0.3
_FAILURES = (HarnessError, JournalError, LedgerError, sqlite3.Error, OSError)


def run_demo(*, as_json: bool) -> int:
    """Run the demo. Returns 0 if everything held, 1 if not (its directory then stays), 128 + n after signal n.

    With `as_json` one object goes to stdout at the end, and everything else to stderr. Needs the extra `demo`. To be
    called in the main thread.
    """
    return asyncio.run(_run(as_json=as_json))


async def _run(*, as_json: bool) -> int:
    signals = _cancel_on_signals()
    directory = Path(tempfile.mkdtemp(prefix="wayside-demo-"))
    # The watch's session logs; on stderr that would go across the screen.
    logging.basicConfig(filename=directory / "demo.log", level=logging.INFO, force=True)
    screen = screen_on(sys.stderr if as_json else sys.stdout, f"{directory}/gateway.toml")
    try:
        result = await _play(directory, screen)
    except (asyncio.CancelledError, *_FAILURES) as error:
        # From here to the return nothing waits, so that no further signal can come between.
        if signals:
            shutil.rmtree(directory)
            return 128 + signals[0]
        if isinstance(error, BrokenPipeError):
            shutil.rmtree(directory)
            raise
        _tell_failure(str(error), directory, as_json=as_json)
        return 1
    shutil.rmtree(directory)
    told = json.dumps(result_json(result)) if as_json else result_text(result)
    sys.stdout.write(f"{told}\n")
    return 0


def _cancel_on_signals() -> list[int]:
    """Have SIGINT, SIGTERM and SIGHUP cancel this task, unless ignored; returns the list that those go to."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "called in a task"
    came: list[int] = []

    def cancel(number: int) -> None:
        came.append(number)
        if len(came) == 1:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, cancel, number)
    return came


async def _play(directory: Path, screen: Screen) -> Result:
    """The demo in `directory`; whatever happens, none of its processes runs on return.

    Raises one of `_FAILURES`, or asyncio.CancelledError.
    """
    began = time.monotonic()
    screen.tell("laying out configurations and keys; rendering a stretch of road for the camera")
    places = await asyncio.to_thread(lay_out, directory)
    watch = GatewayWatch(places.gateway)
    with (
        contextlib.closing(screen),
        TappingValidator(directory / VALIDATOR) as validator,
        Processes(directory, places.port) as processes,
        contextlib.closing(Sampler(places, processes, validator, watch)) as sampler,
    ):
        screen.open()
        story = Story(places, processes, validator, watch, sampler, screen)
        outage = await _told(story, watch)
        checked = await asyncio.to_thread(audit, places, validator.sent, validator.acknowledged)
        if problem := checked.problem():
            raise DemoFailedError(f"{problem}; see {directory}")
        speeding = await _filmed(places, processes, screen)
        token = validator.sent[outage.last_acknowledged]["token"]
        proof = await asyncio.to_thread(prove_tap, places, str(token))
        for process in (processes.camera, processes.authority, processes.gateway, processes.ledger, processes.broker):
            await process.stop()
        return Result(
            time.monotonic() - began,
            story.figures,
            outage,
            max(validator.tap_waits_s),
            max(sampler.receipt_waits_s),
            checked,
            proof,
            speeding,
        )


async def _filmed(places: Places, processes: Processes, screen: Screen) -> Speeding:
    """The second act: a car passes a camera too fast. Raises one of `_FAILURES`."""
    screen.tell("a camera at a second gateway: a car comes along that is too fast")
    processes.authority.start()
    processes.camera.start()
    watch = FilmWatch(places.camera)
    while not await asyncio.to_thread(watch.is_kept):
        processes.check()
        await asyncio.sleep(LOOK_S)
    screen.tell("its event has its receipt, and the authority the sealed evidence")
    return await asyncio.to_thread(open_speeding, places.camera, places.trust_toml)


async def _told(story: Story, watch: GatewayWatch) -> Outage:
    """Run the story beside what looks and listens. Raises one of `_FAILURES`, alone."""
    try:
        async with asyncio.timeout(RUN_MAX_S), asyncio.TaskGroup() as tasks:
            beside = (tasks.create_task(story.look()), tasks.create_task(watch.run()))
            outage = await story.run()
            for task in beside:
                task.cancel()
    except TimeoutError as error:
        raise DemoFailedError(f"it did not end within {RUN_MAX_S:g} s; this machine may be too busy") from error
    except ExceptionGroup as group:
        known = group.subgroup(_FAILURES)
        if known is None:
            raise
        raise leaves(known)[0] from group
    return outage


def _tell_failure(problem: str, directory: Path, *, as_json: bool) -> None:
    if as_json:
        told = {"held": False, "problem": problem, "directory": str(directory)}
        sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stderr.write(f"wayside demo: {problem}\nEverything is kept in {directory}\n")
