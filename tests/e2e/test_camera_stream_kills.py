"""Gateway and camera killed while cars pass before a live camera: no event twice, none without its own evidence."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ledger_sync.proof.report import data_to_json
from tests.e2e.black_box import until
from tests.e2e.camera_city import command_of
from tests.e2e.stream_place import stream_place
from tests.support.video import needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.stream_place import StreamPlace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TRAFFIC = """
name = "traffic"
duration_s = 200
seed = 3
[[device]]
kind = "camera"
id = "camera"
count = 2
options = { scene = "traffic", vehicles = 40, limit_km_h = 40 }
gateway = { count_interval_s = 2 }
"""
CAMERAS = 2
TOLD_WITHIN_S = 120.0
APART_US = 300_000
"""How far a picture may be from the moment that it shows."""


def until_a_car_passes(place: StreamPlace) -> int:
    """It is over the count line, amid the zone in which it is measured; UTC in µs."""
    before = len(place.truths("vehicle.passage"))
    until(lambda: len(place.truths("vehicle.passage")) > before)
    return time.time_ns() // 1000


def until_both_have_told(place: StreamPlace, after_us: int) -> None:
    """Each camera, of somebody who sped after that."""

    def who_told() -> set[str]:
        return {one.device for one in place.events("vehicle.speeding") if one.data["taken_us"] > after_us}

    until(lambda: len(who_told()) == CAMERAS, TOLD_WITHIN_S)


def test_kills_while_cars_pass_double_no_event_and_part_none_from_its_evidence(tmp_path: Path) -> None:
    needs("rtsp")
    with stream_place(tmp_path, TRAFFIC) as place:
        place.start_gateway()
        until_both_have_told(place, 0)
        cameras = place.camera_processes()
        until_a_car_passes(place)
        os.kill(cameras[0], signal.SIGKILL)
        until(lambda: any("signal 9" in one for one in place.reasons("offline")))
        killed_us = until_a_car_passes(place)
        place.kill_gateway()
        until(lambda: not any(map(command_of, cameras)))
        place.start_gateway()
        until_both_have_told(place, killed_us)
        until(lambda: not place.unrecorded())
        place.stop_gateway()
        place.stop_simulation()
        events, kept = place.events("vehicle.speeding"), place.evidence()
        assert len(events) >= 2 * CAMERAS
        for event in events:
            evidence = kept.pop(event.evidence[0])
            first_us, last_us = evidence.points[0]["utc_us"], evidence.points[-1]["utc_us"]
            assert (evidence.kind, evidence.data) == (event.type, data_to_json(event.data))
            assert first_us < event.data["taken_us"] <= last_us
            assert all(first_us - APART_US <= at_us <= last_us + APART_US for _, at_us in evidence.pictures)
        assert kept == {}, "there is no evidence without its event"
        assert "DOES NOT HOLD" not in place.check()
