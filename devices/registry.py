"""Which drivers there are: the entry points of the group `wayside.drivers`, ours and third parties' alike.

DriverRegistryError
├── UnknownDriverError   no entry point has this name
└── UnusableDriverError  it cannot be imported, is no driver, or two distributions claim its name
"""

from __future__ import annotations

import dataclasses
import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .driver import Driver

GROUP = "wayside.drivers"

_MEMBERS = ("Settings", "wire_role", "open", "readings", "close")
# What the import of a foreign module is seen to raise; anything else is a bug that should be seen whole.
_IMPORT_FAILURES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class DriverRegistryError(Exception):
    """A driver that cannot be had; `name` is the one asked for."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class UnknownDriverError(DriverRegistryError):
    """There is no driver of this name; the message names the closest, or all."""


class UnusableDriverError(DriverRegistryError):
    """There is such an entry point, but no driver comes of it."""


def driver_names() -> tuple[str, ...]:
    """Names that `driver = "..."` can have, sorted; nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def load_driver(name: str) -> type[Driver]:
    """The driver class of this name.

    Raises UnknownDriverError, and UnusableDriverError when the entry point is claimed twice, fails to import or is no
    driver: nobody can replace a driver by installing another package beside it.
    """
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise UnknownDriverError(name, _unknown(name))
    if len(points) > 1:
        claims = " and ".join(sorted(f"{_distribution(point)} ({value})" for value, point in points.items()))
        raise UnusableDriverError(name, f"driver {name!r} is claimed by {claims}; uninstall all but one")
    (point,) = points.values()
    return _load(point)


def _load(point: EntryPoint) -> type[Driver]:
    origin = f"driver {point.name!r} of {_distribution(point)}"
    try:
        found = point.load()
    except _IMPORT_FAILURES as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnusableDriverError(
            point.name, f"{origin} cannot be imported ({reason}); repair or uninstall it"
        ) from error
    missing = [member for member in _MEMBERS if not hasattr(found, member)]
    if not isinstance(found, type) or missing or not dataclasses.is_dataclass(getattr(found, "Settings", None)):
        lacks = f"lacks {', '.join(missing)}" if missing else "is no class with a dataclass `Settings`"
        raise UnusableDriverError(point.name, f"{origin} is no driver: {point.value} {lacks}; see devices/driver.py")
    return found


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _unknown(name: str) -> str:
    known = driver_names()
    if not known:
        return f"there is no driver {name!r}, nor any other: install the distribution (`pip install wayside`)"
    near = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no driver {name!r}; {mend}known are {', '.join(known)}"
