"""What of a device's readings is worth recording (devices/RECORDING.md). Sans-I/O: readings and clocks in, events out.

A meter that tells its registers every second becomes a register on each quarter of an hour; a bay that is told again
as it was becomes nothing. What is not recorded is looked at all the same, so that a fall of a register is not missed.
"""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.driver import Origin, Reading
from devices.meter.registers import RegisterFilter
from edge.device.meter_clock import MeterClockWatch
from edge.device.register_watch import RegisterWatch
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.device.config import CommonSettings

MEASURED_EVERY_S = 900.0
KEYS_MAX = 4096
IDS_MAX = 1024

_METER, _COUNTER = "meter.reading", "counter.total"
_STATES = {
    "parking.state": (("bay",), "occupied"),
    "contact.state": (("contact",), "active"),
    "signal.phase": (("controller", "component", "group", "kind"), "state"),
}
"""Of each type that tells a state: whose it is, and where it stands. Times, counters and batteries are no state."""
_THINNED = frozenset({*_STATES, _METER, _COUNTER})


class _Told(NamedTuple):
    """What a reading says: of what, the numbers that a deadband may bound, and the state, if it tells one."""

    key: tuple[Any, ...]
    numbers: Mapping[str, Decimal]
    state: object


class _Recorded(NamedTuple):
    slot: int
    told: _Told


class RecordingPolicy:
    """Decides for one device. `thinned` counts the readings that were not recorded.

    `answering`: the device waits until its readings are recorded, so all are. `passing_over`: it need not be told that
    (devices.driver.PassingOver), so an id keeps no reading from being thinned.
    """

    def __init__(self, settings: CommonSettings, *, answering: bool = False, passing_over: bool = False) -> None:
        self.thinned = 0
        self._settings = settings
        self._records_all = answering and not passing_over
        self._records_ids = not passing_over
        self._deadbands = [(RegisterFilter((name,)), name, far) for name, far in (settings.deadband or {}).items()]
        self._deadband = functools.lru_cache(maxsize=KEYS_MAX)(self._find_deadband)
        self._recorded: dict[tuple[Any, ...], _Recorded] = {}
        self._totals_withheld: dict[tuple[Any, ...], Reading] = {}
        self._registers = RegisterWatch()
        self._clocks = MeterClockWatch()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def take(self, reading: Reading, utc_s: float, monotonic_s: float) -> tuple[Reading, ...]:
        """What is to be recorded of a reading, in this order: nothing, or what was found in it and itself.

        `utc_s` gives the slots of `record_every_s`; `monotonic_s` only differences.
        """
        if reading.type not in _THINNED:
            return (reading,)
        try:
            data = event_type(reading.type).check(reading.data)
        except SchemaError:
            return (reading,)  # the recorder refuses it, and says why
        findings = self._find(reading, data, monotonic_s) if reading.type == _METER else ()
        told = _told(reading.type, data)
        every_s = self._every_s(reading.type)
        slot = int(utc_s // every_s) if every_s else 0
        is_awaited = self._records_all or (self._records_ids and reading.id is not None)
        if is_awaited or findings or self._is_due(told, slot, every_s):
            self._remember(told, slot)
            return (*findings, reading)
        self.thinned += 1
        if reading.type == _COUNTER:
            self._totals_withheld[told.key] = reading
        return ()

    def totals_withheld(self) -> tuple[Reading, ...]:
        """The newest total of each counter, where it was thinned: what would be lost if the gateway ended now."""
        return tuple(self._totals_withheld.values())

    def forget(self, reading: Reading) -> None:
        """`reading` was refused after all: it stands for no slot and no state, so the next one is worth recording."""
        if reading.type not in _THINNED:
            return
        with contextlib.suppress(SchemaError):  # what its type does not allow was never remembered
            self._recorded.pop(_told(reading.type, event_type(reading.type).check(reading.data)).key, None)

    def _every_s(self, kind: str) -> float | None:
        """The length of a slot; 0 is every reading, None is no slots at all: changes only."""
        every_s = self._settings.record_every_s
        if every_s is not None:
            return every_s
        if kind in _STATES:
            return None if self._settings.record_on_change else 0.0
        return MEASURED_EVERY_S

    def _is_due(self, told: _Told, slot: int, every_s: float | None) -> bool:
        last = self._recorded.get(told.key)
        if last is None or every_s == 0 or slot != last.slot:
            return True
        if self._settings.record_on_change and told.state != last.told.state:
            return True
        return bool(self._deadbands) and self._has_moved(told.numbers, last.told.numbers)

    def _has_moved(self, numbers: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> bool:
        for name, number in numbers.items():
            far = self._deadband(name)
            if far is not None and name in before and abs(number - before[name]) > far:
                return True
        return False

    def _find_deadband(self, name: str) -> Decimal | None:
        """The first that names this register (by pattern) or counter (by name)."""
        return next((far for chosen, key, far in self._deadbands if key == name or chosen.matches(name)), None)

    def _remember(self, told: _Told, slot: int) -> None:
        if told.key not in self._recorded and len(self._recorded) >= KEYS_MAX:
            del self._recorded[next(iter(self._recorded))]  # it is recorded once more than need be
        self._recorded[told.key] = _Recorded(slot, told)
        self._totals_withheld.pop(told.key, None)

    def _find(self, reading: Reading, data: Mapping[str, Any], monotonic_s: float) -> tuple[Reading, ...]:
        """`meter.status` of what a meter's registers and clock did since its last reading.

        A reading with an id may be told again, and by a device that kept it for hours: it is looked at once, and its
        time is not held against ours.
        """
        meter_id = data["meter_id"]
        found: list[dict[str, Any]] = []
        if reading.id is None:
            found += self._clocks.look(meter_id, data["meter_time"], monotonic_s)
        elif self._is_told_again(reading.id):
            return ()
        found += self._registers.look(meter_id, data["registers"], monotonic_s)
        # No device said this: the gateway found it.
        return tuple(Reading("meter.status", {"meter_id": meter_id} | one, Origin.UNPROTECTED) for one in found)

    def _is_told_again(self, reading_id: str) -> bool:
        if reading_id in self._ids:
            return True
        self._ids[reading_id] = None
        if len(self._ids) > IDS_MAX:
            self._ids.popitem(last=False)
        return False


def _told(kind: str, data: Mapping[str, Any]) -> _Told:
    if kind == _METER:
        registers = data["registers"]
        # A meter may say several things in turn, each with registers of its own: they tell them apart.
        key = (kind, data["meter_id"], *(one["obis"] for one in registers))
        return _Told(key, {one["obis"]: one["value"] for one in registers}, None)
    if kind == _COUNTER:
        name = data["counter"]
        return _Told((kind, name), {name: data.get("value", Decimal(data["pulses"]))}, None)
    whose, where = _STATES[kind]
    return _Told((kind, *(data.get(name) for name in whose)), {}, data[where])
