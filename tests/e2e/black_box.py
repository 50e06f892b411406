"""The installed `wayside` command, and devices at a gateway's ports, as somebody meets them who knows DESIGN 11."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WAYSIDE = Path(sys.executable).with_name("wayside")
DEADLINE_S = 20.0


def wayside(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end; it exits with `code`, and no traceback reaches the user."""
    command = [str(WAYSIDE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def told(*arguments: object, code: int = 0) -> Any:
    """The JSON value that a verb prints."""
    return json.loads(wayside(*arguments, "--json", code=code).stdout)


def sentence(*arguments: object, code: int = 2) -> str:
    """The one sentence on stderr of a verb that fails; nothing of it is on stdout."""
    done = wayside(*arguments, code=code)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Wait until `condition` gives something, and return that."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"not within {deadline_s} s")


class Service:
    """`wayside run` or `wayside ledger run` as a process, its log in a file."""

    def __init__(self, log: Path, *arguments: object) -> None:
        self._log = log
        with log.open("ab") as file:
            command = [str(WAYSIDE), *map(str, arguments)]
            self._process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """SIGTERM: exit 0, without a traceback; the seconds that took."""
        assert self._process.poll() is None, self._log.read_text()
        begin = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(DEADLINE_S)
        assert code == 0, self._log.read_text()
        assert "Traceback" not in self._log.read_text()
        return time.monotonic() - begin

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)


class LineDevice:
    """A device that speaks one JSON object a line; `say` gives the answers."""

    def __init__(self) -> None:
        self._received = b""

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    def receive(self, wait_s: float) -> bytes:
        raise NotImplementedError

    def answers(self, count: int, deadline_s: float = DEADLINE_S) -> list[dict[str, Any]]:
        """The next `count` answers, or fewer when no more come in time."""
        end = time.monotonic() + deadline_s
        while self._received.count(b"\n") < count and time.monotonic() < end:
            self._received += self.receive(min(0.2, max(0.0, end - time.monotonic())))
        *lines, self._received = self._received.split(b"\n")
        self._received = b"\n".join([*lines[count:], self._received])
        return [json.loads(line) for line in lines[:count]]

    def say(self, *lines: object) -> list[dict[str, Any]]:
        """Send lines (values, or bytes as they are), and take as many answers."""
        for line in lines:
            self.send((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        found = self.answers(len(lines))
        assert len(found) == len(lines), f"{lines} was answered by {found}"
        return found

    def greet(self, line: object) -> dict[str, Any]:
        """Send a line again and again until it is answered: opening a line may drop input."""
        for _ in range(200):
            self.send(json.dumps(line).encode() + b"\n")
            found = self.answers(1, 0.1)
            if found:
                self.answers(1000, 0.3)  # the same id, acknowledged again
                return found[0]
        raise TimeoutError("never answered")


class PtyDevice(LineDevice):
    """A device on a serial port."""

    def __init__(self, link: Path) -> None:
        super().__init__()
        self._terminal = PseudoTerminal(link)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.unplug()

    def send(self, data: bytes) -> None:
        self._terminal.write(data, DEADLINE_S)

    def receive(self, wait_s: float) -> bytes:
        return self._terminal.read(wait_s)


class TcpDevice(LineDevice):
    """A device at which the gateway calls."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._peer: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._peer, self._listener):
            if one is not None:
                one.close()

    def _connected(self, wait_s: float) -> socket.socket | None:
        if self._peer is None and select.select([self._listener], [], [], wait_s)[0]:
            self._peer, _ = self._listener.accept()
        return self._peer

    def send(self, data: bytes) -> None:
        peer = self._connected(0.1)
        if peer is not None:
            with contextlib.suppress(OSError):
                peer.sendall(data)

    def pour(self, lines: Sequence[object]) -> None:
        """Send lines until the gateway hangs up; their answers are of no interest."""
        peer = self._connected(1.0)
        assert peer is not None
        with contextlib.suppress(OSError):
            for line in lines:
                peer.sendall(json.dumps(line).encode() + b"\n")
        while self.receive(DEADLINE_S):
            pass
        self._received = b""

    def receive(self, wait_s: float) -> bytes:
        peer = self._connected(wait_s)
        if peer is None or not select.select([peer], [], [], wait_s)[0]:
            return b""
        try:
            data = peer.recv(65536)
        except OSError:
            data = b""
        if not data:
            peer.close()
            self._peer = None
        return data
