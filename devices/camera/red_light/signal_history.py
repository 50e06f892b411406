"""From committed `signal.phase` events of one signal group: when it was surely red.

An event is stamped by the gateway's clock when its reading comes in, so what it tells had begun by then: red is sure
from the stamp of its event on. It ended at most `resolution_ms` and the way to the gateway (`delay`) before the stamp
of the next event. So both ends of a red phase come from the journal; while the second is missing nobody knows whether
it lasted, however long nothing else is heard: silence may be a broken wire or a slow disk.

What counts as red: "red", and "red_clearance", which shows the same lamp (NTCIP 1202: red clearance is a timing
interval of the controller, not another light; event 10 of the Indiana enumerations likewise). "red_yellow" does not:
passing stays forbidden (Vienna Convention on Road Signs and Signals, article 23, 1 (a) iii), but the light is about to
change, and a second is left to the driver. Flashing, dark and starting signals are never red here.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.red_light.doubts import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.driver import CommittedEvent

RED_STATES = frozenset({"red", "red_clearance"})
RESOLUTION_MAX_MS = 1_000
"""A coarser look could miss a whole green phase: shorter ones than four seconds, yellow included, are not built."""
CLOCK_ERROR_MAX_US = 1_000_000
AHEAD_MAX_US = 200_000
"""How far the controller's own time may be ahead of the gateway's; by so much less an event may seem to be late."""
PHASES_MAX = 16

_SIGNAL, _HEALTH = "signal.phase", "device.health"
_BREAKS = frozenset({"gateway.start", "gateway.clock", "gateway.gap"})
_OF_VEHICLES = (None, "vehicle")


class RedPhase(NamedTuple):
    """Red was shown from `begun_us` on, and `until_us` at least (UTC); None until its end is told.

    `journal` and `sequence` name the event that told its beginning; `ended_us` is the stamp of the one that told its
    end.
    """

    journal: bytes
    sequence: int
    begun_us: int
    until_us: int | None = None
    ended_us: int | None = None


class SignalHistory:
    """The red phases of one group of vehicle signals; `component` where several of a controller have that group."""

    def __init__(self, group: str, component: str | None, delay_ms: int) -> None:
        self._group, self._component = group, component
        self._delay_us = delay_ms * 1000
        self._phases: deque[RedPhase] = deque(maxlen=PHASES_MAX)
        self._is_offline = False
        self._whose: set[tuple[str, str | None]] = set()
        self._start: datetime | None = None
        self.told_us: int | None = None
        """The stamp of the newest usable event; a red phase that is not known yet begins no earlier. None in doubt."""

    def phases(self) -> Iterator[RedPhase]:
        """The newest red phases, oldest first."""
        return iter(self._phases)

    def forget(self) -> None:
        """Time is not what it was: nothing known before goes with what comes from now on."""
        self._phases.clear()
        self._start = None
        self.told_us = None

    def take(self, event: CommittedEvent) -> Doubt | None:
        """Take in an event of the signal's device or of the gateway, in their order.

        Returns why the group's state is in doubt from now on, if it is: until the next usable event nothing is known.
        """
        doubt = self._doubt(event)
        if doubt is not None:
            self.forget()
            return doubt
        if event.type == _SIGNAL and self._is_ours(event):
            self._follow(event)
        return None

    def _doubt(self, event: CommittedEvent) -> Doubt | None:
        if event.type in _BREAKS:
            return Doubt.CLOCK if event.type == "gateway.clock" else Doubt.GAP
        if event.type == _HEALTH:
            # What a wire that comes and goes says meanwhile is recorded, but not each time that it was lost.
            self._is_offline = event.data["state"] != "online"
            return Doubt.OFFLINE
        if event.type != _SIGNAL or not self._is_ours(event):
            return None
        if self._is_offline:
            return Doubt.OFFLINE
        if self.told_us is not None and event.utc_us < self.told_us:
            return Doubt.CLOCK
        if event.clock_error_us is None or event.clock_error_us > CLOCK_ERROR_MAX_US:
            return Doubt.UNSYNCED
        return self._doubt_of_wording(event)

    def _doubt_of_wording(self, event: CommittedEvent) -> Doubt | None:
        data = event.data
        if len(self._whose) < 2:  # noqa: PLR2004 - one, and one too many
            self._whose.add((data["controller"], data.get("component")))
        if len(self._whose) > 1:
            return Doubt.AMBIGUOUS
        if data["state"] == "unknown" or data["resolution_ms"] > RESOLUTION_MAX_MS or data["source"] == "log":
            return Doubt.COARSE
        return self._doubt_of_delay(event) if data["source"] == "push" else None

    def _doubt_of_delay(self, event: CommittedEvent) -> Doubt | None:
        """What is pushed may have waited anywhere, for hours; only the controller's own time tells."""
        start = _moment(event.data["start_time"])
        if start is None:
            return Doubt.LATE
        late_us = event.utc_us - round(start.timestamp() * 1_000_000)
        if not -AHEAD_MAX_US <= late_us <= self._delay_us - AHEAD_MAX_US:
            return Doubt.LATE
        if self._start is not None and start < self._start:
            return Doubt.LATE
        self._start = start
        return None

    def _is_ours(self, event: CommittedEvent) -> bool:
        data = event.data
        if str(data["group"]) != self._group or data.get("kind") not in _OF_VEHICLES:
            return False
        return self._component is None or data.get("component") == self._component

    def _follow(self, event: CommittedEvent) -> None:
        is_red, is_opening = event.data["state"] in RED_STATES, event.data.get("cause") == "opening"
        self.told_us = event.utc_us
        last = self._phases[-1] if self._phases else None
        if last is not None and last.until_us is None:
            if is_red and not is_opening:
                return
            # Who begins to look anew has not seen what was between.
            self._phases.pop()
            if not is_opening:
                until_us = event.utc_us - event.data["resolution_ms"] * 1000 - self._delay_us
                self._phases.append(last._replace(until_us=until_us, ended_us=event.utc_us))
        if is_red:
            self._phases.append(RedPhase(event.journal, event.sequence, event.utc_us))


def _moment(text: str | None) -> datetime | None:
    """A controller's time, if it says of which zone."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
