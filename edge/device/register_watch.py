"""What the registers of meters say between two readings: a total that falls, is reset, or rises faster than can be.

Sans-I/O. Values are compared, never changed: the finding becomes a `meter.status` event beside the reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal

REGISTERS_MAX = 4096

# OBIS (IEC 62056-6-1): D = 8 is the integral from the first start on; C = 24, D = 2 the total of a meter that another
# one relays (DSMR P1). The differences of import and export (C = 16, 36, 56, 76) fall by right.
_TOTAL = re.compile(r"(?:\d+-\d+:)?(?:(?!(?:16|36|56|76)\.)\d+\.8|24\.2)\.\d+(?:\*\d+)?")
_RELAYED = "24.2."

# The largest transformers that feed 400 V have about 3 MVA, and no meter at a kerb is fed by more than one: so 5 MW
# is no consumption. Of gas and water, 1000 m³/h is more than the meters of a whole block.
_JOULES_PER_S_MAX = 5e6
_CUBIC_METRES_PER_S_MAX = 1000 / 3600
_WATT_HOURS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_RISE_PER_S_MAX = {
    **{
        f"{prefix}{unit}": _JOULES_PER_S_MAX / 3600 / size
        for prefix, size in _WATT_HOURS.items()
        for unit in ("Wh", "varh", "VAh")
    },
    **{f"{prefix}J": _JOULES_PER_S_MAX / size for prefix, size in _WATT_HOURS.items()},
    "m³": _CUBIC_METRES_PER_S_MAX,
    "m3": _CUBIC_METRES_PER_S_MAX,
    "l": 1000 * _CUBIC_METRES_PER_S_MAX,
    "L": 1000 * _CUBIC_METRES_PER_S_MAX,
}
# How long a total may have gone on without our seeing it: a relayed one is told once an hour by older P1 meters.
_UNSEEN_S = 60.0
_UNSEEN_RELAYED_S = 3600.0
# A total that is reset, or that turned over at its last digit, begins anew near zero.
_RESET_SHARE = 100


class _Seen(NamedTuple):
    value: Decimal
    unit: str
    moved_at: float


class RegisterWatch:
    """The totals last seen of each meter; at most 4096 of them, the longest known is forgotten first."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def look(self, meter_id: str, registers: Iterable[Mapping[str, Any]], now_s: float) -> Iterator[dict[str, Any]]:
        """What is remarkable in these registers: the data of `meter.status`, but for the meter's id.

        `registers` as in `meter.reading`, checked; `now_s` is of a monotonic clock.
        """
        for register in registers:
            obis, value, unit = register["obis"], register["value"], register["unit"]
            key = meter_id, obis
            last = self._seen.get(key)
            if last is None and (_TOTAL.fullmatch(obis) is None):
                continue
            if last is None or last.unit != unit:
                self._remember(key, _Seen(value, unit, now_s))
            elif value != last.value:
                self._remember(key, _Seen(value, unit, now_s))
                status = _status(obis, last, value, now_s)
                if status is not None:
                    yield {"status": status, "obis": obis, "before": last.value, "after": value, "unit": unit}

    def _remember(self, key: tuple[str, str], seen: _Seen) -> None:
        if key not in self._seen and len(self._seen) >= REGISTERS_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = seen


def _status(obis: str, last: _Seen, value: Decimal, now_s: float) -> str | None:
    if value < last.value:
        return "reset" if 0 <= value * _RESET_SHARE <= last.value else "fell"
    per_s_max = _RISE_PER_S_MAX.get(last.unit)
    if per_s_max is None:
        return None
    unseen_s = _UNSEEN_RELAYED_S if obis.rpartition(":")[2].startswith(_RELAYED) else _UNSEEN_S
    is_jump = float(value - last.value) > per_s_max * (now_s - last.moved_at + unseen_s)
    return "jumped" if is_jump else None
