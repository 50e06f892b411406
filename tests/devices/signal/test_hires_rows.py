from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.contract.feeding import pieces
from devices.driver import WireCounters
from devices.signal.hires_rows import OCCURRENCES_MAX, ROW_BYTES_MAX, STATES, PhaseEvent, RowReader

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"TimeStamp,DeviceId,EventId,Parameter\n"
GREEN = b"2024-04-15T12:00:00.100,1136,1,5\n"
T = "2024-04-15T12:00:00.100"


def read(data: bytes, sizes: list[int] | None = None) -> tuple[list[PhaseEvent], WireCounters]:
    counters = WireCounters()
    reader = RowReader("signal-1", counters)
    return [event for piece in pieces(data, sizes or [len(data) or 1]) for event in reader.feed(piece)], counters


@pytest.fixture(scope="module")
def recording(corpora: Path) -> bytes:
    return gzip.decompress((corpora / "signals/hires/controller_2024-04-15_1200-1400.csv.gz").read_bytes())


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_every_begin_row_of_a_real_recording_is_told_once_and_in_order(recording: bytes, size: int) -> None:
    rows = csv.DictReader(io.StringIO(recording.decode()))
    begins = {1, 8, 10, 11, 21, 22, 23, 61, 63, 65, 66}
    expected = [
        (row["DeviceId"], row["TimeStamp"], int(row["EventId"]), int(row["Parameter"]), 1)
        for row in rows
        if int(row["EventId"]) in begins
    ]
    events, counters = read(recording, [size])
    assert len(expected) == 1974
    assert [(one.controller, one.time, one.event, one.parameter, one.occurrence) for one in events] == expected
    assert len({one.identity for one in events}) == 1974
    # The controller itself lost four rows: a yellow or red clearance ends there that never began.
    assert counters.errors == 4
    assert "rows are missing" in counters.last_error


def test_the_states_are_those_of_the_enumerations() -> None:
    assert {code: state for code, (kind, state) in STATES.items() if kind == "vehicle"} == {
        1: "green",
        8: "yellow",
        10: "red_clearance",
        11: "red",
    }
    assert {code: state for code, (kind, state) in STATES.items() if kind == "pedestrian"} == {
        21: "walk",
        22: "pedestrian_clearance",
        23: "dont_walk",
        24: "dark",
    }
    assert {code: state for code, (kind, state) in STATES.items() if kind == "overlap"} == {
        61: "green",
        62: "green",
        63: "yellow",
        64: "red_clearance",
        65: "red",
        66: "dark",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"eventid,Parameter,DEVICEID,TimeStamp\n1,5,1136,%b\n",
        b"SignalID,Timestamp,EventCode,EventParam\r\n1136,%b,1,5\r\n",
        b"Timestamp,LocationIdentifier,EventCode,EventParam\n%b, 1136, 1, 5\n",
        b'"TimeStamp","DeviceId","EventId","Parameter"\n"%b","1136","1","5"\n',
        b"\xef\xbb\xbfTime_Stamp,Device Id,Event_Id,Parameter,Remark\n%b,1136,1,5,\n",
        b'Timestamp,Remark,DeviceId,EventId,Parameter\n%b,"a, b",1136,1,5\n\n',
    ],
    ids=["order", "ATSPM", "spaces", "quotes", "byte-order-mark", "more-columns"],
)
def test_the_header_says_where_the_columns_are(data: bytes) -> None:
    events, counters = read(data.replace(b"%b", T.encode()))
    assert events == [PhaseEvent("1136", T, 1, 5, 1)]
    assert counters == WireCounters()


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-04-15T12:00:00",
        "2024-04-15 12:00:00.1",
        "2024-04-15T12:00:00.1234567",
        "2024-04-15T12:00:00.1Z",
        "2024-04-15T12:00:00.100+02:00",
        "4/15/2024 12:00:00.1",
        "04/15/2024 9:05:03.100 AM",
    ],
)
def test_a_stamp_is_kept_as_it_is_written(stamp: str) -> None:
    events, counters = read(HEADER + f"{stamp},1136,1,5\n".encode())
    assert [one.time for one in events] == [stamp]
    assert counters.errors == 0


def test_a_log_that_names_no_controller_gets_the_devices_name() -> None:
    events, _ = read(b"TimeStamp,EventId,Parameter\n2024-04-15T12:00:00.100,1,5\n")
    assert events[0].controller == "signal-1"


def test_a_row_waits_for_its_end() -> None:
    counters = WireCounters()
    reader = RowReader("signal-1", counters)
    assert list(reader.feed(HEADER + GREEN[:-1])) == []
    assert reader.waiting_bytes == len(GREEN) - 1
    assert [one.parameter for one in reader.feed(b"6\n")] == [56]
    assert counters.errors == 0


@pytest.mark.parametrize(
    "row",
    [
        b"garbage",
        b"\xff\xfe\x00",
        b"2024-04-15T12:00:00.100,1136,1",
        b"2024-04-15T12:00:00.100,1136,1,5,6",
        b"2024-04-15T12:00:00.100,1136,x,5",
        b"2024-04-15T12:00:00.100,1136,1,-5",
        b"2024-04-15T12:00:00.100,1136,1,5.0",
        b"2024-13-15T12:00:00.100,1136,1,5",
        b"13/4/2024 0:00:00 AM,1136,1,5",
        b"20240415,1136,1,5",
        b"0001-01-01T00:00:00+23:00,1136,1,5",
        b",1136,1,5",
        b"2024-04-15T12:00:00.100,,1,5",
        b'"2024-04-15T12:00:00.100,1136,1,5',
        b"y" * (ROW_BYTES_MAX + 1),
    ],
)
def test_garbage_is_counted_and_the_next_row_is_read(row: bytes) -> None:
    events, counters = read(HEADER + row + b"\n" + GREEN)
    assert [one.parameter for one in events] == [5]
    assert counters.errors == 1
    assert counters.last_error


def test_rows_before_any_header_are_counted_and_a_later_header_counts_anew() -> None:
    other = b"EventId,Parameter,DeviceId,TimeStamp\n8,5,1136,2024-04-15T12:00:09.000\n"
    events, counters = read(GREEN + HEADER + GREEN + other)
    assert [one.event for one in events] == [1, 8]
    assert counters.errors == 1
    assert "before any header" in counters.last_error


def test_detectors_and_other_events_are_passed_over() -> None:
    rows = b"".join(f"2024-04-15T12:00:00.100,1136,{code},5\n".encode() for code in (0, 2, 3, 12, 44, 81, 82, 150, 503))
    assert read(HEADER + rows) == ([], WireCounters())


def test_time_that_goes_back_is_counted_once_and_the_order_is_the_logs() -> None:
    """As on the night when daylight saving ends."""
    rows = b"".join(
        f"2024-11-03T{time},1136,1,{phase}\n".encode()
        for time, phase in (("01:59:59.9", 2), ("01:00:00.0", 6), ("01:00:00.1", 4))
    )
    events, counters = read(HEADER + rows)
    assert [one.parameter for one in events] == [2, 6, 4]
    assert counters.errors == 1
    assert "goes back to 2024-11-03T01:00:00.0" in counters.last_error


def test_equal_rows_are_told_apart_even_an_hour_later() -> None:
    between = b"".join(
        f"2024-11-03T01:30:{second:02}.0,1136,{code},2\n".encode() for second in range(60) for code in (1, 8)
    )
    events, _ = read(HEADER + GREEN + between + GREEN + GREEN)
    same = [one for one in events if one.time == T]
    assert [one.occurrence for one in same] == [1, 2, 3]
    assert len({one.identity for one in events}) == len(events)


def test_an_end_of_what_never_began_is_counted() -> None:
    rows = "".join(f"2024-04-15T12:00:{second:02},1136,{code},5\n" for second, code in enumerate((7, 8, 9, 9, 7)))
    _, counters = read(HEADER + rows.encode())
    assert counters.errors == 1
    assert "event 7 ends green, but it was yellow" in counters.last_error


def test_what_is_remembered_is_bounded() -> None:
    counters = WireCounters()
    reader = RowReader("signal-1", counters)
    list(reader.feed(HEADER))
    for number in range(OCCURRENCES_MAX + 500):
        list(reader.feed(f"2024-04-15T12:00:00.100,{number},1,5\n".encode()))
    list(reader.feed(b"x" * 100_000))
    assert len(reader._occurrences) <= OCCURRENCES_MAX
    assert len(reader._states) <= OCCURRENCES_MAX
    assert reader.waiting_bytes <= ROW_BYTES_MAX


@given(st.binary(max_size=3000), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_after_any_bytes_the_second_row_at_the_latest_is_read(noise: bytes, sizes: list[int]) -> None:
    events, _ = read(noise + b"\n" + HEADER + GREEN + GREEN, sizes)
    assert [one.time for one in events[-2:]] == [T, T]


@given(st.lists(st.sampled_from([GREEN, b"\n", b'"', b",", b"x", HEADER, b"\r\n", b"\x00", b"1,2,3,4\n"]), max_size=40))
def test_the_pieces_that_it_comes_in_make_no_difference(parts: list[bytes]) -> None:
    data = HEADER + b"".join(parts)
    assert read(data, [1]) == read(data, [len(data)]) == read(data, [3, 1, 11])
