"""`wayside demo` as a newcomer runs it: it shows that nothing is lost, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli import main
from edge.demo.audit import audit_taps
from tests.e2e.black_box import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALL = "import sys; from edge.cli import main; sys.exit(main())"
PROCESSES = 5  # the demo, broker, ledger, gateway, the meters
START_MAX_S = 60.0
END_MAX_S = 20.0
RUN_MAX_S = 110.0

processes_are_real = pytest.mark.slow


class RunningDemo:
    """A demo without a terminal, whose processes are known by a variable in their environment."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self._mark = f"WAYSIDE_DEMO_TEST={uuid.uuid4().hex}".encode()
        name, _, value = self._mark.decode().partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", CALL, "demo", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, name: value, "TMPDIR": str(directory)},
            text=True,
        )

    def processes(self) -> dict[int, str]:
        """Its processes that run, the demo itself too: command line by id."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark in (place / "environ").read_bytes().split(b"\0"):
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def until_all_run(self) -> None:
        """Until the gateway records, the last that is started."""
        journals = "wayside-demo-*/gateway/journal/journal.sqlite"
        until(lambda: any(self.directory.glob(journals)) and len(self.processes()) == PROCESSES, START_MAX_S)

    def end(self, deadline_s: float) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        told, logged = self.process.communicate(timeout=deadline_s)
        return self.process.returncode, told, logged

    def left_in_directory(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., RunningDemo]]:
    started: list[RunningDemo] = []

    def start(*arguments: str) -> RunningDemo:
        started.append(RunningDemo(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        for number in one.processes():
            os.kill(number, signal.SIGKILL)
        one.process.communicate(timeout=END_MAX_S)


@processes_are_real
def test_the_plug_is_pulled_and_nothing_acknowledged_is_lost_or_doubled(demo: Callable[..., RunningDemo]) -> None:
    began = time.monotonic()
    running = demo("--json")
    code, told, logged = running.end(RUN_MAX_S + END_MAX_S)
    assert code == 0, logged
    assert time.monotonic() - began < RUN_MAX_S
    shown: dict[str, Any] = json.loads(told)
    taps, events = shown["taps"], shown["events"]
    assert shown["held"] is True
    assert taps["sent"] == taps["acknowledged"] == taps["journal"] > 500
    assert (taps["lost"], taps["doubled"], taps["altered"]) == (0, 0, 0)
    assert taps["in_flight_at_the_plug"] > 0
    assert shown["batches"]["waiting_at_the_plug"] > 0
    assert events["committed"] == events["batched"] == events["anchored"] == events["receipted"]
    assert shown["sequences"] == {"last": events["committed"], "missing": 0}
    batches = shown["batches"]["sealed"]
    assert shown["journal_verify"] == {"events": events["committed"], "batches": batches, "receipts": batches}
    assert shown["ledger"] == {"entries": batches, "refusals": 0, "contradictions": 0}
    assert sum(shown["devices"].values()) == events["committed"]
    assert 0 < shown["tap_to_acknowledged"]["p50_ms"] < 1000 * shown["tap_to_acknowledged"]["longest_s"]
    assert shown["tap_to_acknowledged"]["longest_s"] >= shown["outage"]["gateway_s"] - 0.2
    assert shown["proof"]["verified"] is True
    assert (shown["proof"]["type"], shown["proof"]["device"]) == ("fare.tap", "validator-1")
    assert shown["proof"]["flipped"]["reason"] == "event-signature"
    speeding = shown["speeding"]
    assert abs(speeding["speed_km_h"] - speeding["true_speed_km_h"]) <= speeding["uncertainty_km_h"] + 0.1
    assert speeding["speed_km_h"] > speeding["limit_km_h"]
    assert speeding["evidence_verified"] is True
    assert speeding["raw_needs_both_keys"] is True
    assert running.processes() == {}
    assert running.left_in_directory() == []
    assert "PULLING THE PLUG: gateway SIGKILLed" in logged
    assert "\x1b" not in logged + told


@processes_are_real
def test_a_demo_that_is_killed_leaves_no_process(demo: Callable[..., RunningDemo]) -> None:
    running = demo()
    running.until_all_run()
    running.process.kill()
    until(lambda: running.processes() == {}, END_MAX_S)


@processes_are_real
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_demo_ends_within_seconds_and_cleans_up(
    demo: Callable[..., RunningDemo], name: str, code: int
) -> None:
    running = demo()
    running.until_all_run()
    running.process.send_signal(signal.Signals[name])
    ended, _, logged = running.end(END_MAX_S)
    assert (ended, logged) == (code, "")
    assert running.processes() == {}
    assert running.left_in_directory() == []


@processes_are_real
def test_a_process_that_dies_ends_the_demo_with_a_sentence_that_names_its_log(demo: Callable[..., RunningDemo]) -> None:
    running = demo("--json")
    running.until_all_run()
    (ledger,) = (number for number, command in running.processes().items() if "ledger run" in command)
    os.kill(ledger, signal.SIGKILL)
    code, told, logged = running.end(END_MAX_S)
    assert code == 1
    shown = json.loads(told)
    log = Path(shown["directory"]) / "ledger.log"
    assert shown == {
        "held": False,
        "problem": f"ledger ended by itself (exit code -9); see {log}",
        "directory": str(log.parent),
    }
    assert shown["problem"] in logged
    assert log.exists()
    assert running.processes() == {}


def test_without_its_extra_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rich" else object())
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == "wayside: the demo needs rich, not installed; run: pip install 'wayside[demo]'\n"


SENT = {f"tap-{number}": {"token": letter, "zone": number} for number, letter in enumerate("abc")}


@pytest.mark.parametrize(
    ("journal", "found"),
    [
        ("abc", {"journal": 3, "lost": 0, "doubled": 0}),
        ("ac", {"journal": 2, "lost": 1, "doubled": 0}),
        ("abbc", {"journal": 4, "lost": 0, "doubled": 1}),
    ],
)
def test_the_audit_finds_an_acknowledged_tap_that_is_not_in_the_journal_exactly_once(
    journal: str, found: dict[str, int]
) -> None:
    by_token = {data["token"]: data for data in SENT.values()}
    audited = audit_taps(SENT, list(SENT), [by_token[token] for token in journal])
    assert {name: getattr(audited, name) for name in found} == found
    assert audited.altered == 0


def test_the_audit_finds_a_tap_that_was_altered_or_never_sent() -> None:
    audited = audit_taps(SENT, list(SENT), [SENT["tap-0"], {"token": "b", "zone": 9}, {"token": "z", "zone": 2}])
    assert (audited.altered, audited.lost) == (2, 1)
