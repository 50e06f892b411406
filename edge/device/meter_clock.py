"""The clocks of meters, held against the gateway's monotonic one: which of them jumped. Sans-I/O.

Times are compared and never converted in an event: `meter.status` tells both as the meter wrote them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

METERS_MAX = 1024

# A meter whose clock is kept by its reader is put right by some seconds every day; that is no jump.
_UPKEEP_S = 60.0
# A time without a zone may be put forward and back by an hour, twice a year.
_SUMMER_TIME_S = 3600.0

_P1_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([SW]?)")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")


class MeterTime(NamedTuple):
    """A meter's time in seconds from any beginning; `zoned` where summer time makes no step in it."""

    seconds: float
    zoned: bool


def parse_meter_time(text: str) -> MeterTime | None:
    """Reads `yymmddhhmmss` with S (summer) or W (winter) as P1 has it (DSMR 5.0.2, tag TST), and ISO 8601.

    None for what is no date, such as the count of seconds in SML.
    """
    p1 = _P1_TIME.fullmatch(text)
    try:
        if p1 is not None:
            *numbers, season = p1.groups()
            year, month, day, hour, minute, second = map(int, numbers)
            moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
            return MeterTime(moment.timestamp() - (_SUMMER_TIME_S if season == "S" else 0), zoned=season != "")
        if _ISO_TIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
            zoned = moment.tzinfo is not None
            return MeterTime((moment if zoned else moment.replace(tzinfo=UTC)).timestamp(), zoned)
    except ValueError:
        return None
    return None


class _Seen(NamedTuple):
    """`ahead_s`: how far the meter's clock is ahead of ours at the most; None until its time was seen to change."""

    text: str
    time: MeterTime
    looked_at: float
    ahead_s: float | None


class MeterClockWatch:
    """The clock of each meter, as last seen; at most 1024 of them, the longest known is forgotten first.

    A telegram may come late (a driver that had to wait for the journal), and a capture time stands still between
    captures; neither is a jump. So a time that falls behind is told only when it goes back, and one that leaps only
    when it gets further ahead of our clock than it ever was.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def look(self, meter_id: str, text: str | None, now_s: float) -> Iterator[dict[str, str]]:
        """The data of `meter.status`, but for the meter's id, if its clock jumped. `now_s` is monotonic."""
        last = self._seen.get(meter_id)
        if last is not None and last.text == text:
            self._seen[meter_id] = last._replace(looked_at=now_s)
            return
        time = None if text is None else parse_meter_time(text)
        if text is None or time is None:
            return
        if last is None:
            self._remember(meter_id, _Seen(text, time, now_s, None))
            return
        if _has_jumped(last, time, now_s):
            yield {"status": "clock_jump", "meter_time": text, "meter_time_before": last.text}
            ahead_s = None
        elif last.ahead_s is None:
            ahead_s = time.seconds - last.looked_at
        else:
            ahead_s = max(last.ahead_s, time.seconds - now_s)
        self._remember(meter_id, _Seen(text, time, now_s, ahead_s))

    def _remember(self, meter_id: str, seen: _Seen) -> None:
        if meter_id not in self._seen and len(self._seen) >= METERS_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[meter_id] = seen


def _has_jumped(last: _Seen, time: MeterTime, now_s: float) -> bool:
    allowed_s = _UPKEEP_S + (0 if time.zoned and last.time.zoned else _SUMMER_TIME_S)
    if time.seconds < last.time.seconds - allowed_s:
        return True
    return last.ahead_s is not None and time.seconds - now_s > last.ahead_s + allowed_s
