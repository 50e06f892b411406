"""A journal held against the truth: every true event once, right values, right order, declared gaps and no others.

What a gateway cannot have heard is excused only where the journal itself declares it: before a device's first event,
while its `device.health` says offline, while the gateway was down, and after its last `gateway.stop`. Nothing excuses
what was acknowledged.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .camera_check import check_camera, is_of_a_camera
from .gaps import SLACK_S, gaps_of
from .truth import ANY
from .verdict import DeviceVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.device.config import CommonSettings

    from .gaps import Gap
    from .truth import Said
    from .verdict import Recorded

_DEFAULT_EVERY_S = 900.0
_CLOCK_JUMP_S = 60.0
_PERIODIC = {"meter.reading": ("meter_id",), "counter.total": ("counter",)}
_STATES = {
    "parking.state": (("bay",), "occupied"),
    "contact.state": (("contact",), "active"),
    "signal.phase": (("controller", "component", "group", "kind"), "state"),
}
_DERIVED = {"meter.status"}
"""What the gateway finds by itself: allowed only where a truth has it."""


def check(
    truth: Mapping[str, Sequence[Said]], events: Iterable[Recorded], devices: Mapping[str, CommonSettings]
) -> list[DeviceVerdict]:
    """A verdict for each device of the truth and for each that the journal has events of."""
    journal = list(events)
    of_device: dict[str, list[Recorded]] = {device: [] for device in truth}
    for event in journal:
        if not event.type.startswith(("device.", "gateway.")):
            of_device.setdefault(event.device, []).append(event)
    return [_verdict(truth.get(device, ()), of_device[device], device, journal, devices) for device in of_device]


def _verdict(
    truth: Sequence[Said],
    recorded: Sequence[Recorded],
    device: str,
    journal: Sequence[Recorded],
    devices: Mapping[str, CommonSettings],
) -> DeviceVerdict:
    if is_of_a_camera(truth, recorded):
        return check_camera(device, truth, recorded, gaps_of(device, journal))
    return _Check(device, truth, recorded, gaps_of(device, journal), devices.get(device)).verdict()


class _Check:
    """One device: its truth and its events walked side by side."""

    def __init__(
        self,
        device: str,
        truth: Sequence[Said],
        recorded: Sequence[Recorded],
        gaps: Sequence[Gap],
        common: CommonSettings | None,
    ) -> None:
        self._truth, self._recorded, self._gaps = truth, recorded, gaps
        self._every_s = common.record_every_s if common else None
        self._on_change = common.record_on_change if common else False
        finite = [(begin, end) for begin, end in gaps if math.isfinite(begin) and math.isfinite(end)]
        self._verdict = DeviceVerdict(
            device, len(truth), len(recorded), gap_s=sum(end - begin for begin, end in finite)
        )
        self._is_matched = [False] * len(truth)
        self._is_resent = any(said.acknowledged for said in truth)
        self._slots: set[tuple[str, str, int]] = set()

    def verdict(self) -> DeviceVerdict:
        """Walk both, in order."""
        latest = self._latest_places()
        position = 0
        for index, event in enumerate(self._recorded):
            found = self._find_resent(event) if self._is_resent else self._find(event, position, latest[index])
            if found is None:
                if not self._is_told_again(event):
                    self._tell_stranger(event)
                continue
            self._is_matched[found] = True
            position = found + 1
            self._slots |= self._slots_of(event.type, event.data, (event.at,))
        previous: dict[str, Said] = {}
        for said, is_matched in zip(self._truth, self._is_matched, strict=True):
            if not is_matched:
                self._excuse(said, previous.get(_subject(said)))
            previous[_subject(said)] = said
        if self._truth and not self._recorded:
            self._verdict.problems.append(f"none of the {len(self._truth)} things that it said is in the journal")
        return self._verdict

    def _latest_places(self) -> list[int]:
        """For each event the last place that it may take, if all after it are to find theirs; -1 if there is none."""
        latest, place = [-1] * len(self._recorded), len(self._truth)
        for index in range(len(self._recorded) - 1, -1, -1):
            event = self._recorded[index]
            found = next((one for one in range(place - 1, -1, -1) if _is_same(self._truth[one], event)), None)
            if found is not None:
                latest[index] = place = found
        return latest

    def _find(self, event: Recorded, begin: int, latest: int) -> int | None:
        """What the event is, of the things said from `begin` on.

        Of several that are the same it is the nearest in time that leaves the later events theirs.
        """
        heard = []
        for place in range(begin, len(self._truth)):
            if self._truth[place].at > event.at + SLACK_S:
                break
            if _is_same(self._truth[place], event):
                heard.append(place)
        free = (one for one in heard if one <= latest or latest < begin)
        return min(free, key=lambda one: abs(self._truth[one].at - event.at), default=None)

    def _find_resent(self, event: Recorded) -> int | None:
        """What is sent again until it is answered comes when it is heard: its order is the wire's, not the device's."""
        same = (one for one, said in enumerate(self._truth) if not self._is_matched[one] and _is_same(said, event))
        return max(
            same, key=lambda one: (self._truth[one].acknowledged, -abs(self._truth[one].at - event.at)), default=None
        )

    def _is_told_again(self, event: Recorded) -> bool:
        """Whether a state is told as it is when a device is heard again: true, and the first of its subject then."""
        if event.type not in _STATES:
            return False
        fields, state = _STATES[event.type]
        subject = _name(event.data, fields)
        said = [one for one in self._truth if one.type == event.type and _name(one.data, fields) == subject]
        before = [one for one in said if one.at < event.at - SLACK_S]
        # It may change in the very moment in which it is told.
        about = before[-1:] + [one for one in said if abs(one.at - event.at) <= SLACK_S]
        since = max((begin for begin, _ in self._gaps if begin <= event.at), default=-math.inf)
        is_first = not any(
            one.sequence < event.sequence and one.at > since + SLACK_S and _name(one.data, fields) == subject
            for one in self._recorded
            if one.type == event.type
        )
        return is_first and any(one.data[state] == event.data[state] for one in about)

    def _tell_stranger(self, event: Recorded) -> None:
        if event.type in _DERIVED and not any(said.type == event.type for said in self._truth):
            if self._has_clock_jumped(event):
                return
            what = "was found by the gateway, and nothing like it happened"
        elif self._find_resent(event) is not None:
            what = "is out of order"
        elif any(_is_same(said, event) for said in self._truth):
            what = "is in the journal twice"
        else:
            what = "was never said like this"
        self._verdict.problems.append(f"event {event.sequence} ({event.type}) {what}: {_shown(event.data)}")

    def _has_clock_jumped(self, event: Recorded) -> bool:
        """Whether the meter's clock did what a `clock_jump` says, against ours."""
        data = event.data
        said = {
            one.data.get("meter_time"): one.at
            for one in self._truth
            if one.data.get("meter_id") == data.get("meter_id")
        }
        times = [data.get("meter_time_before"), data.get("meter_time")]
        if data["status"] != "clock_jump" or not all(one in said for one in times):
            return False
        (before, before_at), (after, after_at) = ((_meter_clock(str(one)), said[one]) for one in times)
        return abs((after - before) - (after_at - before_at)) > _CLOCK_JUMP_S

    def _excuse(self, said: Said, before: Said | None) -> None:
        if self._is_thinned(said, before):
            self._verdict.thinned += 1
        elif said.acknowledged:
            self._lose(said, "was acknowledged, and is not in the journal")
        elif not said.sure:
            self._verdict.unsure += 1
        elif any(begin <= said.at <= end for begin, end in self._gaps if not said.kept or math.isinf(end - begin)):
            self._verdict.in_gaps += 1
        else:
            self._lose(said, "is not in the journal, and no gap is declared there")

    def _lose(self, said: Said, what: str) -> None:
        self._verdict.problems.append(f"number {said.number} ({said.type}) {what}: {_shown(said.data)}")

    def _is_thinned(self, said: Said, before: Said | None) -> bool:
        if said.type in _PERIODIC:
            # It was heard a little after it was said.
            return bool(self._slots & self._slots_of(said.type, said.data, (said.at, said.at + SLACK_S)))
        if said.type in _STATES and self._on_change and before is not None:
            state = _STATES[said.type][1]
            return bool(said.data[state] == before.data[state])
        return False

    def _slots_of(self, kind: str, data: Mapping[str, Any], times: Iterable[float]) -> set[tuple[str, str, int]]:
        """The recording intervals that these times lie in."""
        every_s = _DEFAULT_EVERY_S if self._every_s is None else self._every_s
        if kind not in _PERIODIC or not every_s:
            return set()
        subject = _name(data, _PERIODIC[kind])
        return {(kind, subject, int(at // every_s)) for at in times}


def _meter_clock(text: str) -> float:
    """A DSMR clock as seconds; S is summer time."""
    return datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC).timestamp() - 3600 * text.endswith("S")


def _subject(said: Said) -> str:
    fields = _STATES[said.type][0] if said.type in _STATES else _PERIODIC.get(said.type, ())
    return f"{said.type} {_name(said.data, fields)}"


def _name(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    return " ".join(str(data.get(one)) for one in fields)


def _is_same(said: Said, event: Recorded) -> bool:
    return said.type == event.type and _matches(said.data, event.data)


def _matches(true: Any, recorded: Any) -> bool:
    if true == ANY:
        return True
    if isinstance(true, dict) and isinstance(recorded, dict):
        return true.keys() == recorded.keys() and all(_matches(one, recorded[key]) for key, one in true.items())
    if isinstance(true, list) and isinstance(recorded, list):
        return len(true) == len(recorded) and all(map(_matches, true, recorded))
    return type(true) is type(recorded) and bool(true == recorded)


def _shown(data: Mapping[str, Any]) -> str:
    text = str(dict(data))
    return text if len(text) <= 160 else f"{text[:157]}..."  # noqa: PLR2004 - a line of a terminal, twice
