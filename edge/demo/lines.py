"""The demo for a pipe or a log file: a line for each happening, and one with figures a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .figures import Figures, Spread

_INTERVAL_S = 1.0


class LineScreen:
    """A `Screen` of plain lines."""

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream = stream
        self._title = title
        self._began = self._shown = time.monotonic()

    def open(self) -> None:
        """See Screen."""
        self._write(self._title)

    def show(self, figures: Figures) -> None:
        """See Screen."""
        now = time.monotonic()
        if now - self._shown >= _INTERVAL_S:
            self._shown = now
            self._write(f"{now - self._began:5.1f} s   {figures_line(figures)}")

    def tell(self, sentence: str) -> None:
        """See Screen."""
        self._write(f"{time.monotonic() - self._began:5.1f} s * {sentence}")

    def close(self) -> None:
        """See Screen."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def figures_line(figures: Figures) -> str:
    """All stages, in events (and batches), and the latencies on one line."""
    pipeline = figures.pipeline
    down = [name for name, is_up in figures.up.items() if not is_up]
    parts = [
        f"read {pipeline.readings}",
        f"signed+committed {pipeline.committed}",
        f"batched {pipeline.batched.events} ({pipeline.batched.batches})",
        f"anchored {pipeline.anchored.events} ({pipeline.anchored.batches})",
        f"receipted {pipeline.receipted.events} ({pipeline.receipted.batches})",
        f"| taps {figures.taps_sent}, acknowledged {figures.taps_acknowledged}",
        f"| tap to ack {spread_text(figures.tap_wait)}",
        f"| seal to receipt {spread_text(pipeline.receipt_wait)}",
        *([f"| DOWN: {', '.join(down)}"] if down else []),
    ]
    return " ".join(parts)


def spread_text(spread: Spread | None) -> str:
    """A spread of times in words."""
    return f"p50 {spread.p50:.0f} ms, p99 {spread.p99:.0f} ms" if spread else "-"
