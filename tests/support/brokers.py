"""Real brokers as processes on loopback, for any test: Mosquitto and the embedded one.

    with start_mosquitto(tmp_path) as broker:      # or start_embedded(tmp_path)
        ... broker.url, broker.port ...
        broker.persist()                           # a durable Mosquitto only
        broker.kill()                              # SIGKILL
        broker.start()                             # again, on the same port

Both listen on 127.0.0.1, speak MQTT 5, and are killed when the block ends. Their output is in `broker.log_path`.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.url import BrokerUrl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
READY_DEADLINE_S = 15.0
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")


def free_port() -> int:
    """A TCP port nobody listens on, below the range that outgoing connections take, so that a restart finds it free."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class BrokerProcess:
    """A broker that can be killed and started again on its port."""

    def __init__(
        self, name: str, command: Sequence[str], port: int, log_path: Path, *, ready: bytes, store: Path | None = None
    ) -> None:
        self.name = name
        self.port = port
        self.url = BrokerUrl("127.0.0.1", port)
        self.log_path = log_path
        self._command = command
        self._ready = ready
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it says that it is ready.

        Not until its port answers: iotcore listens for a moment to check the port, and resets who came then.
        """
        said_before = len(self.log_path.read_bytes()) if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline_s = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            if self._ready in self.log_path.read_bytes()[said_before:]:
                return
            time.sleep(0.005)
        self.kill()
        pytest.fail(f"{self.name} did not start: {self.log_path.read_text()}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would: nothing is written, no connection is closed in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(READY_DEADLINE_S)
            self._process = None

    def stop(self, name: str = "SIGTERM") -> int:
        """Ask it to stop by that signal; the exit code."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.Signals[name])
        code = self._process.wait(READY_DEADLINE_S)
        self._process = None
        return code

    def persist(self) -> None:
        """Have a durable Mosquitto write sessions and queued messages now; returns when they are in its file."""
        assert self._process is not None, "not started"
        assert self._store is not None, "not durable"
        before = self._store.stat().st_ino if self._store.exists() else None
        self._process.send_signal(signal.SIGUSR1)
        deadline_s = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline_s:
            # It is written beside and renamed: another inode is a complete file.
            with contextlib.suppress(FileNotFoundError):
                if self._store.stat().st_ino != before:
                    return
            time.sleep(0.005)
        pytest.fail(f"{self.name} did not write {self._store}")

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing, until `thaw`."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # each of its threads, not only the first

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def start_mosquitto(
    directory: Path, *, access_rules: str | None = None, durable: bool = False, settings: str = ""
) -> Iterator[BrokerProcess]:
    """Mosquitto; skips the test, with the reason, where it is not installed.

    `access_rules` is the text of an ACL file (%c is the client id). `durable` keeps a store, so that sessions and
    queued messages outlive `kill` as of the last `persist`. `settings` are further lines of mosquitto.conf.
    """
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    port = free_port()
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"user {getpass.getuser()}",  # as root it would become `mosquitto`, who cannot read the test's directory
        settings,
    ]
    if access_rules is not None:
        rules = directory / "mosquitto.acl"
        rules.write_text(access_rules)
        rules.chmod(0o600)
        lines.append(f"acl_file {rules}")
    store = directory / "mosquitto.db" if durable else None
    if durable:
        lines += ["persistence true", f"persistence_location {directory}/"]
    config = directory / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    command = [MOSQUITTO, "-c", str(config)]
    log_path = directory / "mosquitto.log"
    yield from _running(BrokerProcess("mosquitto", command, port, log_path, ready=b" running\n", store=store))


@contextlib.contextmanager
def start_embedded(directory: Path) -> Iterator[BrokerProcess]:
    """The embedded broker (`broker.embedded.run_embedded`); skips the test, with the reason, without iotcore."""
    pytest.importorskip("iotcore", reason="iotcore is not installed (pip install 'wayside[demo]')")
    port = free_port()
    program = f"from broker.embedded import run_embedded; run_embedded('127.0.0.1', {port})"
    command = [sys.executable, "-c", program]
    log_path = directory / "embedded.log"
    yield from _running(BrokerProcess("embedded", command, port, log_path, ready=b"EMBEDDED BROKER"))


def _running(broker: BrokerProcess) -> Iterator[BrokerProcess]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
