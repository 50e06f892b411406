"""How far a long run is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_INTERVAL_S = 0.25


class ProgressLine(Generic[T]):
    """One line of stderr, where that is a terminal; `text` words what it is called with."""

    def __init__(self, text: Callable[[T], str]) -> None:
        self._text = text
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown_at:
            sys.stderr.write("\n")

    def __call__(self, state: T) -> None:
        """Show it, unless the line was written just now."""
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown_at >= _INTERVAL_S:
            self._shown_at = now
            sys.stderr.write(f"\r{self._text(state)} ")
            sys.stderr.flush()
