from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING

import pytest

from edge.log import start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    start_logging()
    log = logging.getLogger("wayside.test")
    log.info("device online", extra={"device": "gate-1", "reason": "", "batch": 0, "path": b"\xff"})
    log.debug("too much detail")
    try:
        int("a defect")
    except ValueError:
        log.exception("driver failed")
    return stream


def test_a_machine_reads_one_json_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = map(json.loads, logged(monkeypatch, io.StringIO()).getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "wayside.test",
        "event": "device online",
        "device": "gate-1",
        "batch": 0,
        "path": "b'\\xff'",
    }
    assert second["level"] == "error"
    assert "ValueError: invalid literal" in second["exception"]


def test_a_terminal_shows_a_line_with_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = logged(monkeypatch, Terminal()).getvalue().splitlines()
    assert lines[0][8:].startswith(" info    device online  device=gate-1 batch=0 path=")
    assert "reason" not in lines[0]
    assert lines[1].endswith("driver failed")
    assert lines[-1].startswith("ValueError: invalid literal")
    assert "detail" not in "".join(lines)
