"""What is shown while the demo runs: one live screen on a terminal, a line a second everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO

from rich.console import Console

from .lines import LineScreen
from .live import LiveScreen

if TYPE_CHECKING:
    from .figures import Figures


class Screen(Protocol):
    """Shows figures and tells what happens. All calls come from one thread."""

    def open(self) -> None:
        """Begin."""

    def show(self, figures: Figures) -> None:
        """The newest figures."""

    def tell(self, sentence: str) -> None:
        """What happens now."""

    def close(self) -> None:
        """End; what was shown last stays. Idempotent."""


def screen_on(stream: TextIO, title: str) -> Screen:
    """A live screen if `stream` is a terminal that can move its cursor, lines if not; `title` says where things are."""
    console = Console(file=stream, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, title)
    return LineScreen(stream, title)
