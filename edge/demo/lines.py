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
        self._write(f"Wayside demo, {self._title}")
        self._write("taps: acknowledged/sent; ack: tap sent to acknowledged; receipt: batch sealed to receipt; p50/p99")

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
    """All stages, in events; latencies as p50/p99; how many of the taps are acknowledged; what is down."""
    pipeline = figures.pipeline
    down = [name for name, is_up in figures.up.items() if not is_up]
    parts = [
        f"read {pipeline.readings}",
        f"signed+committed {pipeline.committed}",
        f"batched {pipeline.batched.events}",
        f"anchored {pipeline.anchored.events}",
        f"receipted {pipeline.receipted.events}",
        f"taps {figures.taps_acknowledged}/{figures.taps_sent}",
        f"ack {_short(figures.tap_wait)}",
        f"receipt {_short(pipeline.receipt_wait)}",
        *([f"DOWN: {', '.join(down)}"] if down else []),
    ]
    return "  ".join(parts)


def _short(spread: Spread | None) -> str:
    return f"{spread.p50:.0f}/{spread.p99:.0f} ms" if spread else "-"


def spread_text(spread: Spread | None) -> str:
    """A spread of times in words."""
    return f"p50 {spread.p50:.0f} ms, p99 {spread.p99:.0f} ms" if spread else "-"
