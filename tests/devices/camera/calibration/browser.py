"""A real browser, driven as a person would: Debian's Chromium, by its DevTools protocol over a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium")
DEADLINE_S = 30.0


class Browser:
    """One page in a browser without a window."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._send_fd = os.pipe()
        self._receive_fd, from_browser = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --window-size=1700,1000"
        self._process = subprocess.Popen(
            [
                "bash",  # whose redirections take descriptors of two digits
                "-c",
                f'exec "$0" {flags} --remote-debugging-pipe "$1" 3<&{to_browser} 4>&{from_browser}',
                CHROMIUM,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number = 0
        self._received = b""
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        with contextlib.suppress(BrokenPipeError):
            self._post("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._send_fd)
        os.close(self._receive_fd)

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """What a script's expression is on the page; undefined and objects of the page are None."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str) -> Any:
        """Waits for an expression to be true."""
        deadline = time.monotonic() + DEADLINE_S
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, f"never true: {script}\n{self.value('document.body.innerText')}"
            time.sleep(0.02)
        return value

    def click(self, x: float, y: float, count: int = 1) -> None:
        """Clicks that many times at a place of the window."""
        for number in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=number)

    def _call(self, method: str, **parameters: Any) -> Any:
        number = self._post(method, **parameters)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            message = self._next(deadline)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _post(self, method: str, **parameters: Any) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send_fd, json.dumps(message).encode() + b"\0")
        return self._number

    def _next(self, deadline: float) -> Any:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._receive_fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._receive_fd, 1 << 16)
            assert read, "the browser has ended"
            self._received += read
        message, self._received = self._received.split(b"\0", 1)
        return json.loads(message)
