"""What an M-Bus value information block (VIF and VIFEs) means: quantity, unit, scale (EN 13757-3).

Its tables of primary VIFs, of the extensions FBh and FDh, and of combinable VIFEs (edition 2018; non-metric codes of
FBh are those of edition 2004).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from decimal import Decimal

_CODE = 0x7F

EXTENSION_FB, PLAIN_TEXT, EXTENSION_FD, MANUFACTURER = 0x7B, 0x7C, 0x7D, 0x7F

UNCORRECTED, POSITIVE_ONLY, NEGATIVE_ONLY, BASE_CONDITIONS = 0x3A, 0x3B, 0x3C, 0x3E
SECOND_TABLE = 0x7C
"""Combinable VIFEs that tell quantities of one VIF apart; SECOND_TABLE leads to the next table, with the phases."""

_DURATIONS = ("s", "min", "h", "d")
_LONG_DURATIONS = ("h", "d", "mo", "a")


class Coding(enum.Enum):
    """How the data of a VIF is to be read where its data field says binary."""

    NUMBER = enum.auto()
    BITS = enum.auto()  # type D: no sign
    TIME = enum.auto()  # types F, G, I, J by their length


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a record measures: `value = integer * 10**exponent + offset`, in `unit`.

    `modifiers` are the combinable VIFEs (without extension bit) that change what the quantity is; those that only scale
    it are already in `exponent` and `offset`. `name` is empty for what the standard reserves.
    """

    name: str
    unit: str = ""
    exponent: int = 0
    coding: Coding = Coding.NUMBER
    offset: Decimal = Decimal(0)
    modifiers: tuple[int, ...] = ()


UNKNOWN = Quantity("")


def _decades(first: int, count: int, name: str, unit: str, exponent: int) -> dict[int, Quantity]:
    """`count` codes from `first` on; each is ten times the one before."""
    return {first + step: Quantity(name, unit, exponent + step) for step in range(count)}


def _durations(first: int, name: str, units: tuple[str, ...] = _DURATIONS) -> dict[int, Quantity]:
    return {first + step: Quantity(name, unit) for step, unit in enumerate(units) if unit}


def _plain(first: int, *names: str) -> dict[int, Quantity]:
    return {first + step: Quantity(name) for step, name in enumerate(names) if name}


_PRIMARY = (
    _decades(0x00, 8, "energy", "Wh", -3)
    | _decades(0x08, 8, "energy", "J", 0)
    | _decades(0x10, 8, "volume", "m3", -6)
    | _decades(0x18, 8, "mass", "kg", -3)
    | _durations(0x20, "on time")
    | _durations(0x24, "operating time")
    | _decades(0x28, 8, "power", "W", -3)
    | _decades(0x30, 8, "power", "J/h", 0)
    | _decades(0x38, 8, "volume flow", "m3/h", -6)
    | _decades(0x40, 8, "volume flow", "m3/min", -7)
    | _decades(0x48, 8, "volume flow", "m3/s", -9)
    | _decades(0x50, 8, "mass flow", "kg/h", -3)
    | _decades(0x58, 4, "flow temperature", "Cel", -3)
    | _decades(0x5C, 4, "return temperature", "Cel", -3)
    | _decades(0x60, 4, "temperature difference", "K", -3)
    | _decades(0x64, 4, "external temperature", "Cel", -3)
    | _decades(0x68, 4, "pressure", "bar", -3)
    | {0x6C: Quantity("date", coding=Coding.TIME), 0x6D: Quantity("date and time", coding=Coding.TIME)}
    | {0x6E: Quantity("units for H.C.A.", "units")}
    | _durations(0x70, "averaging duration")
    | _durations(0x74, "actuality duration")
    | _plain(0x78, "fabrication number", "identification", "bus address")
    | _plain(0x7E, "any", "manufacturer specific")
)

_FB = (
    _decades(0x00, 2, "energy", "Wh", 5)
    | _decades(0x02, 2, "reactive energy", "varh", 3)
    | _decades(0x04, 2, "apparent energy", "VAh", 3)
    | _decades(0x08, 2, "energy", "J", 8)
    | _decades(0x0C, 4, "energy", "cal", 5)
    | _decades(0x10, 2, "volume", "m3", 2)
    | _decades(0x14, 4, "reactive power", "var", 0)
    | _decades(0x18, 2, "mass", "kg", 5)
    | _decades(0x1A, 2, "relative humidity", "%", -1)
    | {0x20: Quantity("volume", "ft3"), 0x21: Quantity("volume", "ft3", -1)}
    | {0x22: Quantity("volume", "gal", -1), 0x23: Quantity("volume", "gal")}
    | {0x24: Quantity("volume flow", "gal/min", -3), 0x25: Quantity("volume flow", "gal/min")}
    | {0x26: Quantity("volume flow", "gal/h")}
    | _decades(0x28, 2, "power", "W", 5)
    | {0x2A: Quantity("phase angle between voltages", "°", -1)}
    | {0x2B: Quantity("phase angle of voltage and current", "°", -1)}
    | _decades(0x2C, 4, "frequency", "Hz", -3)
    | _decades(0x30, 2, "power", "J/h", 8)
    | _decades(0x34, 4, "apparent power", "VA", 0)
    | _decades(0x58, 4, "flow temperature", "°F", -3)
    | _decades(0x5C, 4, "return temperature", "°F", -3)
    | _decades(0x60, 4, "temperature difference", "°F", -3)
    | _decades(0x64, 4, "external temperature", "°F", -3)
    | _decades(0x70, 4, "cold or warm temperature limit", "°F", -3)
    | _decades(0x74, 4, "cold or warm temperature limit", "Cel", -3)
    | _decades(0x78, 8, "cumulated maximum of power", "W", -3)
)

_FD = (
    _decades(0x00, 4, "credit", "currency", -3)
    | _decades(0x04, 4, "debit", "currency", -3)
    | _plain(0x08, "access number", "medium", "manufacturer", "parameter set", "model", "hardware version")
    | _plain(0x0E, "firmware version", "software version", "customer location", "customer")
    | _plain(0x12, "access code of user", "access code of operator", "access code of system operator")
    | _plain(0x15, "access code of developer", "password")
    | {0x17: Quantity("error flags", coding=Coding.BITS), 0x18: Quantity("error mask", coding=Coding.BITS)}
    | {0x1A: Quantity("digital output", coding=Coding.BITS), 0x1B: Quantity("digital input", coding=Coding.BITS)}
    | {0x1C: Quantity("baud rate", "Bd"), 0x1D: Quantity("response delay", "bit times")}
    | _plain(0x1E, "retry", "remote control")
    | _plain(0x20, "first cyclic storage", "last cyclic storage", "size of storage block")
    | _durations(0x24, "storage interval", (*_DURATIONS, "mo", "a"))
    | {0x2A: Quantity("operator specific data"), 0x2B: Quantity("second of time point", "s")}
    | _durations(0x2C, "duration since last readout")
    | {0x30: Quantity("start of tariff", coding=Coding.TIME)}
    | _durations(0x30, "duration of tariff", ("", "min", "h", "d"))
    | _durations(0x34, "period of tariff", (*_DURATIONS, "mo", "a"))
    | _plain(0x3A, "dimensionless", "wireless container")
    | _durations(0x3C, "period of transmissions")
    | _decades(0x40, 16, "voltage", "V", -9)
    | _decades(0x50, 16, "current", "A", -12)
    | _plain(0x60, "reset counter", "cumulation counter", "control signal", "day of week", "week number")
    | _plain(0x65, "time of day change", "state of parameter activation", "supplier information")
    | _durations(0x68, "duration since last cumulation", _LONG_DURATIONS)
    | _durations(0x6C, "operating time of battery", _LONG_DURATIONS)
    | {0x70: Quantity("battery change", coding=Coding.TIME), 0x71: Quantity("received level", "dBm")}
    | _plain(0x72, "daylight saving", "listening window")
    | {0x74: Quantity("remaining battery life", "d"), 0x75: Quantity("times stopped")}
    | _plain(0x76, "manufacturer specific container")
)

# "per" units: VIFE 20h to 36h that make another quantity of the one they follow.
_RATES = dict(
    zip(
        (*range(0x20, 0x28), *range(0x2C, 0x30), *range(0x30, 0x37)),
        (
            *("/s", "/min", "/h", "/d", "/wk", "/mo", "/a", "/revolution"),
            *("/l", "/m3", "/kg", "/K"),
            *("/kWh", "/GJ", "/kW", "/(K*l)", "/V", "/A", "*s"),
        ),
        strict=True,
    )
)
_NO_ERROR = 0x00
_FACTOR, _FACTORS = 0x70, range(0x70, 0x78)
_ADDEND, _ADDENDS = 0x78, range(0x78, 0x7C)
_THOUSANDFOLD = 0x7D


def quantity_of(vif: int, vifes: bytes, text: str | None) -> Quantity:
    """The quantity of a VIF and its VIFEs, all as they are on the wire; `text` is the plain-text unit of VIF 7Ch."""
    code, following = vif & _CODE, [one & _CODE for one in vifes]
    if code in (EXTENSION_FB, EXTENSION_FD) and following:
        table = _FB if code == EXTENSION_FB else _FD
        found = table.get(following.pop(0), UNKNOWN)
    elif code == PLAIN_TEXT:
        found = Quantity("plain text unit", text or "")
    else:
        found = _PRIMARY.get(code, UNKNOWN)
    while following:
        modifier = following.pop(0)
        if modifier == MANUFACTURER:  # what follows is in the maker's own words
            return replace(found, modifiers=(*found.modifiers, modifier, *following))
        found = _modified(found, modifier)
        if modifier == SECOND_TABLE and following:
            found = replace(found, modifiers=(*found.modifiers, following.pop(0)))
    return found


def _modified(found: Quantity, modifier: int) -> Quantity:
    """The quantity after one combinable VIFE (EN 13757-3, combinable VIFEs)."""
    if modifier in _FACTORS:
        shift = modifier - _FACTOR - 6
        return replace(found, exponent=found.exponent + shift, offset=found.offset.scaleb(shift))
    if modifier == _THOUSANDFOLD:
        return replace(found, exponent=found.exponent + 3, offset=found.offset.scaleb(3))
    if modifier in _ADDENDS:
        return replace(found, offset=found.offset + Decimal(1).scaleb(modifier - _ADDEND - 3))
    if modifier == _NO_ERROR:
        return found
    found = replace(found, modifiers=(*found.modifiers, modifier))
    if modifier in _RATES:
        return replace(found, unit=found.unit + _RATES[modifier])
    if _is_a_time(modifier):
        return replace(found, unit="", exponent=0, offset=Decimal(0), coding=Coding.TIME)
    if modifier & 0x70 == 0x50 or modifier & 0x78 == 0x60:  # noqa: PLR2004 - duration of a limit exceeded, E101ufnn, E1100fnn
        return replace(found, unit=_DURATIONS[modifier & 3], exponent=0, offset=Decimal(0))
    if modifier & 0x77 == 0x41:  # noqa: PLR2004 - how often a limit was exceeded: E100u001
        return replace(found, unit="", exponent=0, offset=Decimal(0))
    return found


def _is_a_time(modifier: int) -> bool:
    """Whether a VIFE makes the date of it: 39h, E100uf1b (begin or end of an exceeding), E1101f1b (of the event)."""
    return modifier == 0x39 or modifier & 0x72 == 0x42 or modifier & 0x7A == 0x6A  # noqa: PLR2004
