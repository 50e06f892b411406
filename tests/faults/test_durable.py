"""Durable, not only surviving: SIGKILL cannot show a missing fsync, system calls can.

Before the answer to a tap, and before an anchor, leaves the process, what they promise was written to the write-ahead
log and synchronised. With synchronous turned down, the same check finds the first promise that was given too early.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge.journal.reader import JournalReader
from tests.support.brokers import start_mosquitto
from tests.support.city_files import CityFiles, make_city
from tests.support.counting_validator import CountingValidator
from tests.support.processes import start_module
from tests.support.system_calls import SystemCall, is_complete, read_trace, tracer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAPS = 25


async def _traced_calls(directory: Path, synchronous: str) -> tuple[CityFiles, list[str], list[SystemCall]]:
    """A gateway at work under a tracer: 25 taps and the anchors of two batches at least."""
    before = tracer(directory / "trace")
    with start_mosquitto(directory) as broker:
        files = make_city(directory, broker.port)
        with CountingValidator(directory / "validator-1", taps_per_s=20, taps_max=TAPS) as validator:
            gateway = await start_module(
                "tests.faults.gateway_process",
                files.gateway_config,
                *("--synchronous", synchronous),
                name="gateway",
                before=before,
            )
            try:
                await until(validator.answered_all, "all taps were acknowledged")
                gateway.terminate()
                assert await gateway.wait() == 0, gateway.log_tail()
                await until(lambda: is_complete(directory / "trace", gateway.pid), "the trace was written")
            finally:
                await gateway.kill()
    return files, validator.acknowledged, read_trace(directory / "trace")


def _early(files: CityFiles, acknowledged: list[str], calls: list[SystemCall]) -> Iterator[str]:
    """The promises that were given before what they promise was durable, in words."""
    answers = [call for call in calls if call.name == "write" and b'{"ack"' in call.data]
    for token in acknowledged:
        name = json.dumps(token).encode()
        (answer, *_) = [call for call in answers if name in call.data]
        if not _is_durable(calls, token.encode(), answer):
            yield f"the answer to {token}"
    with JournalReader(files.journal) as reader:
        anchors = [batch.anchor for batch in reader.batches()]
    sent = [call for call in calls if call.name == "sendto"]
    for number, anchor in enumerate(anchors, 1):
        departures = [call for call in sent if anchor in call.data]
        if not departures:
            yield f"anchor {number}, which never left"
        elif not _is_durable(calls, anchor, departures[0]):
            yield f"anchor {number}"


def _is_durable(calls: list[SystemCall], content: bytes, promise: SystemCall) -> bool:
    """Whether `content` went into the write-ahead log, and that was synchronised after it and before `promise`."""
    log = [call for call in calls if call.file.endswith("journal.sqlite-wal") and call.end is not None]
    written = next((call.end for call in log if call.name == "pwrite64" and content in call.data), None)
    return written is not None and any(
        call.name in {"fdatasync", "fsync"} and written < call.begin and (call.end or 0) < promise.begin for call in log
    )


@pytest.mark.slow
async def test_the_log_is_synchronised_between_each_write_and_its_answer_or_anchor(tmp_path: Path) -> None:
    files, acknowledged, calls = await _traced_calls(tmp_path, "FULL")
    assert len(acknowledged) == TAPS
    assert list(_early(files, acknowledged, calls)) == []


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_with_synchronous_turned_down_every_answer_comes_too_early(tmp_path: Path, synchronous: str) -> None:
    files, acknowledged, calls = await _traced_calls(tmp_path, synchronous)
    early = list(_early(files, acknowledged, calls))
    assert [f"the answer to {token}" for token in acknowledged] == early[:TAPS]
    assert "anchor 1" in early
