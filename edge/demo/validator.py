"""The demo's fare validator: people tap all the time, whether the gateway lives or not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from devices.sim.fare.tapping import FareValidator
from devices.sim.pty import PseudoTerminal

from .errors import DemoFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

TAP_INTERVAL_S = 1 / 40
_WRITE_MAX_S = 0.1
_READ_WAIT_S = 0.005
_END_MAX_S = 2.0


class TappingValidator:
    """A simulated validator on a pseudo-terminal, in a thread of its own while the block lasts.

    Taps that are not answered are sent again every 2 s. `tap_waits_s` holds, for each acknowledged tap in the order of
    the acknowledgements, the time from its first sending.
    """

    def __init__(self, link: Path) -> None:
        self._terminal = PseudoTerminal(link)
        self._validator = FareValidator(seed=3, run="demo")
        self._first_sent: dict[str, float] = {}
        self.tap_waits_s: list[float] = []
        self._tapping = threading.Event()
        self._tapped = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fare-validator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(_END_MAX_S)
        self._terminal.unplug()

    def start_tapping(self) -> None:
        """From now on 40 people a second tap."""
        self._tapping.set()

    def stop_tapping(self) -> None:
        """No new taps; what is unanswered is still sent again."""
        self._tapping.clear()

    def wait_for_tap(self, deadline_s: float) -> bool:
        """Wait until a new tap has just been sent; False when none was within the deadline."""
        self._tapped.clear()
        return self._tapped.wait(deadline_s)

    def check(self) -> None:
        """Raises DemoFailedError when the gateway refused a tap."""
        for why in list(self._validator.refused.values())[:1]:
            raise DemoFailedError(f"the gateway refused a tap ({why}); see gateway.log")

    @property
    def sent(self) -> Mapping[str, Mapping[str, Any]]:
        """Every tap's data, by its id."""
        return self._validator.sent

    @property
    def acknowledged(self) -> Sequence[str]:
        """The ids of the taps that the gateway has acknowledged, in that order."""
        return self._validator.acknowledged

    @property
    def unanswered(self) -> int:
        """Number of taps that were sent and not yet answered."""
        return len(self._validator.unanswered)

    def _run(self) -> None:
        next_tap = time.monotonic()
        while not self._ended.is_set():
            now = time.monotonic()
            lines = self._validator.resend(now)
            while now >= next_tap:
                next_tap += TAP_INTERVAL_S
                if self._tapping.is_set():
                    lines.append(self._tap(now))
            self._send(lines)
            for tap in self._validator.receive(self._terminal.read(_READ_WAIT_S)):
                self.tap_waits_s.append(time.monotonic() - self._first_sent[tap])

    def _tap(self, now: float) -> bytes:
        line = self._validator.tap(now)
        self._first_sent[next(reversed(self._validator.sent))] = now
        return line

    def _send(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self._terminal.write(line, _WRITE_MAX_S) < len(line):
                # Nobody reads. What is lost here has no answer, and so is sent again.
                return
            self._tapped.set()
