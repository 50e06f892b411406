import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.camera.pipe import Assignment, Report, event_line, parse_assignment, parse_event_line, parse_report
from devices.driver import CommittedEvent, Origin, Reading
from ledger_sync.proof.event_types import event_type
from tests.support.widest_violations import WIDEST_VIOLATIONS


def test_an_assignment_arrives_as_it_was_sent() -> None:
    sent = Assignment("cam-1", {"port": "rtsp://10.0.0.7/sub"}, 5, "/var/evidence", {"traffic": bytes(range(32))})
    line = sent.line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_assignment(line) == sent


def test_an_event_arrives_as_it_was_sent() -> None:
    sent = CommittedEvent("signal-1", "signal.phase", {"group": 2, "state": "red"}, bytes(16), 7, 1, None)
    assert parse_event_line(event_line(sent)) == sent


@pytest.mark.parametrize("kind", WIDEST_VIOLATIONS)
def test_a_violation_is_signed_as_the_camera_told_it(kind: str) -> None:
    sent = Reading(kind, WIDEST_VIOLATIONS[kind], Origin.UNPROTECTED, "ab" * 16, (bytes(32),))
    came = parse_report(Report(reading=sent).line()).reading
    assert came is not None
    assert came._replace(data=event_type(kind).check(came.data)) == sent


def test_what_is_said_beside_readings_arrives() -> None:
    reports = (
        Report(is_ready=True),
        Report(sees=True),
        Report(errors=3, figures={"clock": None, "refused": {"cut": 1}}),
        Report(impairment=""),
        Report(failure="it ended"),
    )
    for sent in reports:
        assert parse_report(sent.line()) == sent


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_whatever_a_broken_process_says_is_a_report_or_a_typed_error(line: bytes | str) -> None:
    with contextlib.suppress(ValueError):
        parse_report(line.encode() if isinstance(line, str) else line)
