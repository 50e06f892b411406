from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from edge.cli import progress
from edge.cli.progress import ProgressLine

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_run_is_shown_on_one_line_of_a_terminal_not_more_often_than_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ProgressLine("verified to event {}".format) as line:
        line(1)
        line(2)
        monkeypatch.setattr(progress, "_INTERVAL_S", 0.0)
        line(3)
    assert terminal.getvalue() == "\rverified to event 1 \rverified to event 3 \n"


def test_nothing_is_shown_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", text := io.StringIO())
    with ProgressLine(str) as line:
        line(1)
    assert text.getvalue() == ""
