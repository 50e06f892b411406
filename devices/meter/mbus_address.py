"""Where on its bus an M-Bus meter is: by primary or by secondary address (EN 13757-2; selection: EN 13757-7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from devices.meter.mbus_link import NETWORK_ADDRESS

PRIMARY_ADDRESS_MAX = 250
_ANY_SINGLE = 254
_SECONDARY = re.compile(
    r"([0-9A-Fa-f]{8})(?:-([A-Z]{3}|\*))?(?:-([0-9a-fA-F]{2}|\*))?(?:-([0-9a-fA-F]{2}|\*))?", re.ASCII
)
_WILD = 0xFF


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """`link` is the address in frames; `selection` the 8 bytes that select the meter first, None for a primary one."""

    text: str
    link: int
    selection: bytes | None = None

    def matches(self, told: bytes) -> bool:
        """Whether an answer's first 8 bytes (identification, manufacturer, version, medium) may be this meter's."""
        if self.selection is None:
            return True
        if len(told) != len(self.selection):
            return False
        digits = zip(self.selection[:4].hex(), told[:4].hex(), strict=True)
        if any(wanted not in ("f", found) for wanted, found in digits):
            return False
        manufacturer, version, medium = self.selection[4:6], self.selection[6], self.selection[7]
        return manufacturer in (b"\xff\xff", told[4:6]) and version in (_WILD, told[6]) and medium in (_WILD, told[7])


def parse_address(raw: Any) -> MeterAddress:
    """A primary address (0 to 250, or 254 for a meter that is alone), or a secondary one as `meter_id` shows it.

    In `11490378-ACW-0e-16`, manufacturer, version and medium may be `*` or left out, and F stands for any digit. Raises
    ValueError with a sentence.
    """
    if isinstance(raw, int) and not isinstance(raw, bool) and (0 <= raw <= PRIMARY_ADDRESS_MAX or raw == _ANY_SINGLE):
        return MeterAddress(f"primary address {raw}", raw)
    found = _SECONDARY.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise ValueError(
            f"is {raw!r}; must be a primary address from 0 to 250 (254 for a meter that is alone), or a secondary one "
            'such as "11490378" or "11490378-ACW-0e-16"'
        )
    digits, manufacturer, version, medium = found.groups(default="*")
    text = f"secondary address {digits.upper()}-{manufacturer}-{version.lower()}-{medium.lower()}"
    selection = bytes.fromhex(digits)[::-1] + _manufacturer(manufacturer) + bytes((_byte(version), _byte(medium)))
    return MeterAddress(text, NETWORK_ADDRESS, selection)


def _manufacturer(letters: str) -> bytes:
    if letters == "*":
        return bytes((_WILD, _WILD))
    first, second, third = (ord(letter) - 64 for letter in letters)
    return (first << 10 | second << 5 | third).to_bytes(2, "little")


def _byte(digits: str) -> int:
    return _WILD if digits == "*" else int(digits, 16)
