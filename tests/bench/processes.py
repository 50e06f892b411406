"""What only whole processes show: start, memory, acknowledgement and receipt latency, with a real broker and ptys."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from devices.sim.pty import PseudoTerminal
from tests.bench.ratio import percentile
from tests.support.brokers import MOSQUITTO, start_embedded, start_mosquitto
from tests.support.city_files import make_city

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYSIDE = (sys.executable, "-c", "import sys; from edge.cli import main; sys.exit(main())")
STARTS = 5
TAPS = 1500
TAPS_PER_S = 100
SETTLE_S = 4.0

DEVICES = {"meter-1": "dsmr", "meter-2": "sml", "validator-1": "jsonl"}
_TABLES = """
[batch]
age_max_s = 0.25
"""


@contextlib.contextmanager
def _place() -> Iterator[tuple[Path, PseudoTerminal]]:
    """A configured gateway and ledger on a running broker, and the device's end of the validator's line."""
    with tempfile.TemporaryDirectory(dir="build") as name, contextlib.ExitStack() as stack:
        directory = Path(name).absolute()
        start = start_mosquitto if MOSQUITTO else start_embedded
        broker = stack.enter_context(start(directory))
        make_city(directory, broker.port, devices=DEVICES, tables=_TABLES)
        terminals = [stack.enter_context(PseudoTerminal(directory / device)) for device in DEVICES]
        yield directory, terminals[-1]


@contextlib.contextmanager
def running_wayside(directory: Path, *verb: str) -> Iterator[subprocess.Popen[bytes]]:
    """`wayside` with these arguments, its output in `directory`; SIGTERM at the end."""
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen([*WAYSIDE, *verb], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def running_gateway(directory: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """The gateway of `gateway.toml` in `directory`."""
    return running_wayside(directory, "run", "--config", str(directory / "gateway.toml"))


def start_and_memory() -> dict[str, float]:
    """Spawn to first committed event; resident memory of an idle gateway with three devices."""
    starts = []
    idle_rss_mb = 0.0
    with _place() as (directory, _):
        journal = directory / "var/journal/journal.sqlite"
        for _ in range(STARTS):
            shutil.rmtree(journal.parent, ignore_errors=True)
            begin = time.monotonic()
            with running_gateway(directory) as gateway:
                while not _has_event(journal):
                    time.sleep(0.005)
                starts.append(time.monotonic() - begin)
                if len(starts) == STARTS:
                    time.sleep(SETTLE_S)
                    idle_rss_mb = rss_mb(gateway.pid)
    return {"start_s": percentile(starts, 0.5), "idle_rss_mb": idle_rss_mb}


def _has_event(journal: Path) -> bool:
    if not journal.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT 1 FROM event").fetchone() is not None
        except sqlite3.OperationalError:
            return False


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 2^20 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def latencies() -> dict[str, float]:
    """Tap sent → acknowledged at 100 taps/s; batch sealed → receipt verified and kept."""
    with _place() as (directory, terminal):
        ledger = running_wayside(directory, "ledger", "run", "--config", str(directory / "ledger.toml"))
        with ledger, running_gateway(directory):
            while not _has_event(directory / "var/journal/journal.sqlite"):
                time.sleep(0.01)
            time.sleep(1)
            delays_ms = answers_ms(terminal, _taps(), TAPS_PER_S, b'"ack"')
            time.sleep(SETTLE_S / 2)
        with contextlib.closing(sqlite3.connect(directory / "var/journal/journal.sqlite")) as connection:
            rows = connection.execute("SELECT answered_us - sealed_us FROM batch WHERE receipt IS NOT NULL").fetchall()
    receipts_ms = [delay_us / 1000 for (delay_us,) in rows]
    return {
        "ack_latency_p99_ms": percentile(delays_ms, 0.99),
        "receipt_latency_p99_ms": percentile(receipts_ms, 0.99),
    }


def _taps() -> list[bytes]:
    taps = (
        {"id": f"t{number}", "type": "fare.tap", "data": {"direction": "in", "token": f"x{number}"}}
        for number in range(TAPS)
    )
    return [json.dumps(tap).encode() + b"\n" for tap in taps]


def answers_ms(terminal: PseudoTerminal, lines: list[bytes], per_s: float, answer: bytes) -> list[float]:
    """Send lines at an even pace, whether the last one is answered or not; the delays in ms of their answers.

    They come in the order of the lines, and each holds `answer`.
    """
    sent: deque[float] = deque()
    delays_ms: list[float] = []
    buffer = b""
    begin = time.monotonic()
    deadline = begin + len(lines) / per_s + 10
    while len(delays_ms) < len(lines) and time.monotonic() < deadline:
        count = len(delays_ms) + len(sent)
        due = begin + count / per_s
        if count < len(lines) and time.monotonic() >= due:
            sent.append(time.monotonic())
            terminal.write(lines[count], 1)
        buffer += terminal.read(max(0.0, min(0.01, due - time.monotonic())) if count < len(lines) else 0.05)
        *answers, buffer = buffer.split(b"\n")
        now = time.monotonic()
        delays_ms += [1000 * (now - sent.popleft()) for one in answers if answer in one]
    assert len(delays_ms) == len(lines), f"{len(lines) - len(delays_ms)} lines were not answered with {answer!r}"
    return delays_ms
