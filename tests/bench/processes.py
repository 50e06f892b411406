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
from pathlib import Path
from typing import TYPE_CHECKING

from devices.sim.pty import PseudoTerminal
from tests.bench.ratio import percentile
from tests.support.brokers import MOSQUITTO, start_embedded, start_mosquitto
from tests.support.city_files import make_city

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def _wayside(directory: Path, *verb: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import sys; from edge.cli import main; sys.exit(main())", *verb]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _gateway(directory: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return _wayside(directory, "run", "--config", str(directory / "gateway.toml"))


def start_and_memory() -> dict[str, float]:
    """Spawn to first committed event; resident memory of an idle gateway with three devices."""
    starts = []
    rss_mb = 0.0
    with _place() as (directory, _):
        journal = directory / "var/journal/journal.sqlite"
        for _ in range(STARTS):
            shutil.rmtree(journal.parent, ignore_errors=True)
            begin = time.monotonic()
            with _gateway(directory) as gateway:
                while not _has_event(journal):
                    time.sleep(0.005)
                starts.append(time.monotonic() - begin)
                if len(starts) == STARTS:
                    time.sleep(SETTLE_S)
                    rss_mb = _rss_mb(gateway.pid)
    return {"start_s": percentile(starts, 0.5), "idle_rss_mb": rss_mb}


def _has_event(journal: Path) -> bool:
    if not journal.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT 1 FROM event").fetchone() is not None
        except sqlite3.OperationalError:
            return False


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def latencies() -> dict[str, float]:
    """Tap sent → acknowledged at 100 taps/s; batch sealed → receipt verified and kept."""
    with _place() as (directory, terminal):
        ledger = _wayside(directory, "ledger", "run", "--config", str(directory / "ledger.toml"))
        with ledger, _gateway(directory):
            while not _has_event(directory / "var/journal/journal.sqlite"):
                time.sleep(0.01)
            time.sleep(1)
            delays_ms = _tap_and_wait(terminal)
            time.sleep(SETTLE_S / 2)
        with contextlib.closing(sqlite3.connect(directory / "var/journal/journal.sqlite")) as connection:
            rows = connection.execute("SELECT answered_us - sealed_us FROM batch WHERE receipt IS NOT NULL").fetchall()
    receipts_ms = [delay_us / 1000 for (delay_us,) in rows]
    return {
        "ack_latency_p99_ms": percentile(delays_ms, 0.99),
        "receipt_latency_p99_ms": percentile(receipts_ms, 0.99),
    }


def _tap_and_wait(terminal: PseudoTerminal) -> list[float]:
    """Send taps at an even pace; the delays in ms of their acknowledgements."""
    sent: dict[str, float] = {}
    delays_ms: list[float] = []
    buffer = b""
    begin = time.monotonic()
    deadline = begin + TAPS / TAPS_PER_S + 10
    while len(delays_ms) < TAPS and time.monotonic() < deadline:
        due = begin + len(sent) / TAPS_PER_S
        if len(sent) < TAPS and time.monotonic() >= due:
            tap = {"id": f"t{len(sent)}", "type": "fare.tap", "data": {"direction": "in", "token": f"x{len(sent)}"}}
            sent[str(tap["id"])] = time.monotonic()
            terminal.write(json.dumps(tap).encode() + b"\n", 1)
        buffer += terminal.read(max(0.0, min(0.01, due - time.monotonic())) if len(sent) < TAPS else 0.05)
        *lines, buffer = buffer.split(b"\n")
        now = time.monotonic()
        delays_ms += [1000 * (now - sent[json.loads(line)["ack"]]) for line in lines]
    assert len(delays_ms) == TAPS, f"{TAPS - len(delays_ms)} taps were not acknowledged"
    return delays_ms
