"""The lists that meters push on their HAN port, as registers: Norway, Sweden, Denmark.

Three shapes. Aidon: an array of [OBIS, value] and [OBIS, value, [scaler, unit]] (Aidon, RJ45 HAN interface 1.4).
Kamstrup, and Kaifa in Sweden: a structure of list version, OBIS, value, OBIS, value (Kamstrup, HAN-NVE interface
description). Kaifa in Norway: a structure of bare values whose count tells which they are (Kaifa, KFM_001 OBIS list).
The latter two have no scalers: theirs are the maker's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from devices.meter.dlms_data import DlmsError, Enumerated, Value
from devices.meter.dlms_notification import is_time, time_text
from devices.meter.dlms_units import DLMS_UNITS
from devices.meter.registers import Meter, Register, can_be_signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from devices.driver import WireCounters
    from devices.meter.dlms_notification import Notification

_OBIS_BYTES = 6
_SCALERS = range(-18, 19)
_METER_ID_CHARACTERS_MAX = 64

_CLOCK = "1.0.0"
_LIST_VERSION = "0.2.129"
# Aidon and Kaifa tell the meter by 96.1.0, Kamstrup by 0.0.5 (GS1 number).
_METER_IDS = ("96.1.0", "0.0.5")
_KAMSTRUP_TYPE = "96.1.1"
_KAMSTRUP_TRANSFORMER_TYPE = "685"

_Scale = tuple[int, str]


def _scales(current: int, voltage: int, energy: int) -> dict[str, _Scale]:
    """Exponent and unit by C.D.E; power is in W and var."""
    scales: dict[str, _Scale] = {}
    for group, unit in ((1, "W"), (2, "W"), (3, "var"), (4, "var")):
        scales[f"{group}.8.0"] = (energy, f"{unit}h")
        for phase in (0, 20, 40, 60):
            scales[f"{group + phase}.7.0"] = (0, unit)
    for phase in (0, 20, 40):
        scales[f"{31 + phase}.7.0"] = (current, "A")
        scales[f"{32 + phase}.7.0"] = (voltage, "V")
    return scales


_MAKERS: Mapping[str, Mapping[str, _Scale]] = {
    "KFM_": _scales(current=-3, voltage=-1, energy=0),
    "Kamstrup_": _scales(current=-2, voltage=0, energy=1),
}
"""By how the list version begins. Kamstrup counts energy in 10 Wh and 10 varh."""

_KAIFA = "KFM_"
_KAIFA_HEAD = ("1-0:0.2.129", "0-0:96.1.0", "0-0:96.1.7")
_KAIFA_POWERS = ("1-0:1.7.0", "1-0:2.7.0", "1-0:3.7.0", "1-0:4.7.0")
_KAIFA_ONE_PHASE = ("1-0:31.7.0", "1-0:32.7.0")
_KAIFA_THREE_PHASES = (*(f"1-0:{c}.7.0" for c in (31, 51, 71)), *(f"1-0:{c}.7.0" for c in (32, 52, 72)))
_KAIFA_HOURLY = ("0-0:1.0.0", "1-0:1.8.0", "1-0:2.8.0", "1-0:3.8.0", "1-0:4.8.0")
_KAIFA_LISTS = {
    len(codes): codes
    for codes in (
        _KAIFA_POWERS[:1],
        (*_KAIFA_HEAD, *_KAIFA_POWERS, *_KAIFA_ONE_PHASE),
        (*_KAIFA_HEAD, *_KAIFA_POWERS, *_KAIFA_THREE_PHASES),
        (*_KAIFA_HEAD, *_KAIFA_POWERS, *_KAIFA_ONE_PHASE, *_KAIFA_HOURLY),
        (*_KAIFA_HEAD, *_KAIFA_POWERS, *_KAIFA_THREE_PHASES, *_KAIFA_HOURLY),
    )
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a list: OBIS `A-B:C.D.E`, its value, and its exponent and unit where the meter tells them."""

    obis: str
    value: Value
    scale: _Scale | None = None

    @property
    def code(self) -> str:
        return self.obis.partition(":")[2]


def meter_in(notification: Notification, last_id: str | None, counters: WireCounters) -> Meter:
    """The meter of a pushed list; `last_id` is who spoke last, as the shortest lists do not say it.

    A register's value that cannot be signed is counted as an error and left out. Raises DlmsError for a list of another
    shape, or whose scales are not known.
    """
    body = notification.body
    if not isinstance(body, list) or not body:
        raise DlmsError("a notification without a list")
    scales: Mapping[str, _Scale] = {}
    if all(isinstance(one, list) for one in body):
        entries = list(_self_describing(body))
    else:
        entries, scales = _of_maker(body)
    values = {entry.code: entry.value for entry in entries}
    meter_id = next((text for code in _METER_IDS if (text := _text(values.get(code)))), None) or last_id or "unknown"
    raw_time = values.get(_CLOCK) if is_time(values.get(_CLOCK)) else notification.time
    time = time_text(raw_time) if isinstance(raw_time, bytes) else None
    registers = (_register(entry, entry.scale or scales.get(entry.code), counters) for entry in entries)
    return Meter(meter_id, time, tuple(one for one in registers if one is not None))


def _self_describing(body: Sequence[Value]) -> Iterator[_Entry]:
    for line in body:
        match line:
            case [bytes() as obis, value] if len(obis) == _OBIS_BYTES:
                yield _Entry(_obis(obis), value)
            case [bytes() as obis, value, [int() as scaler, Enumerated(unit)]] if len(obis) == _OBIS_BYTES:
                if scaler not in _SCALERS:
                    raise DlmsError(f"the scaler {scaler}, which no meter has")
                yield _Entry(_obis(obis), value, (scaler, DLMS_UNITS.get(unit, "")))
            case _:
                raise DlmsError("a list entry of another shape than OBIS code, value, scaler and unit")


def _of_maker(body: Sequence[Value]) -> tuple[list[_Entry], Mapping[str, _Scale]]:
    """The entries of a list without scalers, and the scales of who made it."""
    if len(body) in _KAIFA_LISTS and _is_of_kaifa(body[0]):
        codes = _KAIFA_LISTS[len(body)]
        return [_Entry(obis, value) for obis, value in zip(codes, body, strict=True)], _MAKERS[_KAIFA]
    version = body[0] if isinstance(body[0], str) else None
    pairs = body[1:] if version is not None else body
    if len(pairs) % 2:
        raise DlmsError(f"a list of {len(body)} values that are no pairs of OBIS code and value")
    entries = []
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if isinstance(name, bytes) and len(name) == _OBIS_BYTES:
            entries.append(_Entry(_obis(name), value))
        elif name is not None or value is not None:  # Kamstrup fills up what a meter of one phase does not have
            raise DlmsError("a list whose values have no OBIS codes")
    told = version or _text({entry.code: entry.value for entry in entries}.get(_LIST_VERSION)) or ""
    scales = next((known for begin, known in _MAKERS.items() if told.startswith(begin)), None)
    if scales is None:
        raise DlmsError("a list without scalers by a maker that this driver does not know")
    return entries, _without_currents(scales) if _measures_by_transformer(entries) else scales


def _is_of_kaifa(first: Value) -> bool:
    """Whether a list of bare values begins as Kaifa's: with its version, or with the power alone."""
    return isinstance(first, int) or (isinstance(first, bytes) and (_text(first) or "").startswith(_KAIFA))


def _measures_by_transformer(entries: Sequence[_Entry]) -> bool:
    kind = next((_text(entry.value) for entry in entries if entry.code == _KAMSTRUP_TYPE), None)
    return (kind or "").startswith(_KAMSTRUP_TRANSFORMER_TYPE)


def _without_currents(scales: Mapping[str, _Scale]) -> Mapping[str, _Scale]:
    """Kamstrup's transformer meters (685...) send currents on a scale that its description does not tell."""
    return {code: scale for code, scale in scales.items() if scale[1] != "A"}


def _obis(raw: bytes) -> str:
    a, b, c, d, e, _ = raw
    return f"{a}-{b}:{c}.{d}.{e}"


def _text(value: Value) -> str | None:
    """A printable identity, which Kaifa sends as octets and others as text."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if isinstance(text, str) and 0 < len(text) <= _METER_ID_CHARACTERS_MAX and text.isascii() and text.isprintable():
        return text
    return None


def _register(entry: _Entry, scale: _Scale | None, counters: WireCounters) -> Register | None:
    """The register of an entry; None for what is no number, or a number without unit."""
    if scale is None or not scale[1] or isinstance(entry.value, bool) or not isinstance(entry.value, int | Decimal):
        return None
    exponent, unit = scale
    number = Decimal(entry.value)
    exact = number * 10**exponent if exponent > 0 else number.scaleb(exponent)
    if can_be_signed(exact):
        return Register(entry.obis, exact, unit)
    counters.errors += 1
    counters.last_error = f"{entry.obis} has more digits than can be signed: {exact}"
    return None
