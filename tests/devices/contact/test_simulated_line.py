"""Whatever a simulated chip says gives edges, counted errors or a DeviceError."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contact import simulated_line
from devices.contact.input_line import Edge, LineRequest
from devices.contact.simulated_line import LINE_BYTES_MAX, SimulatedLine
from devices.driver import DeviceError, WireCounters

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = LineRequest("17", active_low=False, bias="as-is", debounce_ms=0, pulses=False)


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_any_bytes_give_edges_or_counted_errors_and_little_is_kept(pieces: list[bytes]) -> None:
    counters = WireCounters()
    line = SimulatedLine("sim:///chip", REQUEST, counters)
    edges = [edge for piece in pieces for edge in line._edges(piece)]
    assert len(edges) + counters.errors == b"".join(pieces).count(b"\n") or counters.bytes_dropped
    assert len(line._rest) <= LINE_BYTES_MAX


@given(st.integers(1, 30))
def test_edges_come_through_in_pieces_of_any_size_and_after_garbage(size: int) -> None:
    counters = WireCounters()
    line = SimulatedLine("sim:///chip", REQUEST, counters)
    said = b"x" * 300 + b"\nedge 1 1\nedge 99999999999 1\nedge 2 0\n"
    pieces = [said[start : start + size] for start in range(0, len(said), size)]
    assert [edge for piece in pieces for edge in line._edges(piece)] == [Edge(1, active=True), Edge(2, active=False)]
    assert counters.errors == 2


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"now 2\n", b"x" * 1000])
async def test_what_is_no_simulated_chip_is_a_device_error(tmp_path: Path, answer: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(serve, tmp_path / "chip"):
        line = SimulatedLine(f"sim://{tmp_path}/chip", REQUEST, WireCounters())
        with pytest.raises(DeviceError, match=f"sim://{tmp_path}/chip, line 17"):
            await line.open()
        await line.close()


async def test_a_chip_that_does_not_answer_is_a_device_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_line, "OPEN_DEADLINE_S", 0.05)
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        hung_up.set()
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "chip"):
        line = SimulatedLine(f"sim://{tmp_path}/chip", REQUEST, WireCounters())
        with pytest.raises(DeviceError, match=r"no answer within 0\.05 s"):
            await line.open()
        await line.close()
        await asyncio.wait_for(hung_up.wait(), 5)
