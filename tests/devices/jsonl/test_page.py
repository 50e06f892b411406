"""The lines that the page of `jsonl` shows are lines that the gateway takes."""

from __future__ import annotations

import re
from pathlib import Path

from devices.driver import Reading
from devices.jsonl.line import parse_line
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type

PAGE = (Path(__file__).parents[3] / "devices/jsonl/driver.md").read_text(encoding="utf-8")


def test_the_lines_of_the_page_can_be_recorded() -> None:
    (examples,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    types = []
    for example in examples.split("\n\n"):
        reading = parse_line(example.replace("\n", " ").encode())
        assert isinstance(reading, Reading), reading
        assert encode_data(event_type(reading.type), reading.data)
        types.append(reading.type)
    assert types == ["fare.tap", "parking.session"]
