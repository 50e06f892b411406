"""The demo for a terminal: one screen that fits 80 columns by 24 lines, redrawn in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .figures import Count, Figures, Pipeline
from .lines import spread_text
from .places import GATEWAY, VALIDATOR

if TYPE_CHECKING:
    from rich.console import Console

_TOLD_MAX = 6
_ABOUT = {
    "meter-1": "DSMR meter",
    "meter-2": "SML meter",
    VALIDATOR: "fare validator",
    GATEWAY: "own events",
}
_COLOURS = {"online": "green", "offline": "red", "up": "green", "down": "bold red"}


class LiveScreen:
    """A `Screen` that is redrawn in place at each look."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self._figures = Figures()
        self._told: list[str] = []
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def open(self) -> None:
        """See Screen."""
        self._live.start()

    def show(self, figures: Figures) -> None:
        """See Screen."""
        self._figures = figures
        self._draw()

    def tell(self, sentence: str) -> None:
        """See Screen."""
        self._told = [*self._told, f"{time.monotonic() - self._began:5.1f} s  {sentence}"][-_TOLD_MAX:]
        self._draw()

    def close(self) -> None:
        """See Screen."""
        self._live.stop()

    def _draw(self) -> None:
        figures = self._figures
        parts = (
            _pipeline(figures.pipeline),
            _waits(figures),
            _devices(figures),
            _processes(figures),
            Text(),
            self._happenings(),
        )
        frame = Panel(
            Group(*parts),
            title=f"Wayside demo, {time.monotonic() - self._began:.0f} s",
            subtitle=Text(self._title, "dim", no_wrap=True, overflow="ellipsis"),
            border_style="green" if all(figures.up.values()) else "red",
        )
        self._live.update(frame, refresh=True)

    def _happenings(self) -> Table:
        table = Table.grid()
        table.add_column(no_wrap=True, overflow="ellipsis")
        for sentence in self._told[:-1]:
            table.add_row(Text(sentence, "dim"))
        for sentence in self._told[-1:]:
            table.add_row(Text(sentence, "bold"))
        for _ in range(_TOLD_MAX - len(self._told)):
            table.add_row("")
        return table


def _pipeline(pipeline: Pipeline) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="bold")
    for stage in ("read >", "signed, committed >", "batched >", "anchored >", "receipted"):
        table.add_column(stage, justify="right", no_wrap=True, ratio=len(stage) + 2)
    stages = (pipeline.batched, pipeline.anchored, pipeline.receipted)
    table.add_row(
        str(pipeline.readings), str(pipeline.committed), *(str(one.events) for one in stages), style="bold cyan"
    )
    table.add_row("readings", "events", *(_last_batch(one) for one in stages), style="dim")
    return table


def _last_batch(count: Count) -> str:
    return f"to batch {count.batches}" if count.batches else ""


def _waits(figures: Figures) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row()
    table.add_row(" tap sent to acknowledged:", spread_text(figures.tap_wait))
    table.add_row(" batch sealed to receipt:", spread_text(figures.pipeline.receipt_wait))
    table.add_row()
    return table


def _devices(figures: Figures) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1), header_style="bold")
    table.add_column("device", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=7)
    table.add_column("in journal", justify="right", no_wrap=True)
    table.add_column("newest reading", no_wrap=True, ratio=1, overflow="ellipsis")
    for device, about in _ABOUT.items():
        state = figures.device_states.get(device, "" if device == GATEWAY else "unheard")
        newest = Text(figures.newest.get(device, ""), "dim")
        count = str(figures.pipeline.by_device.get(device, 0))
        table.add_row(device, about, Text(state, _COLOURS.get(state, "")), count, newest)
    return table


def _processes(figures: Figures) -> Text:
    line = Text("\n ")
    for name, is_up in figures.up.items():
        state = "up" if is_up else "down"
        line.append(f"{name} ").append(state, _COLOURS[state]).append("   ")
    return line.append(f"taps {figures.taps_sent}, acknowledged {figures.taps_acknowledged}")
