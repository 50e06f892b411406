"""A junction's camera live, over two real streams: its events are true, and the large stream is their evidence."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import pytest

from devices.camera.track import Box
from devices.sim.camera.busy_junction import busy_junction
from devices.sim.camera.passings import passings
from edge.harness.scenario import SHIPPED, load_scenario
from tests.e2e.black_box import until
from tests.e2e.stream_place import VIOLATIONS, stream_place
from tests.support.video import needs

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Image
    from devices.sim.camera.scene import Scene
    from tests.e2e.stream_place import Evidence

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

SMALL, LARGE = (640, 360), (1280, 720)
LATE_S = 0.4
"""The large stream is later by so much: at 70 km/h a car goes 8 m meanwhile."""
TOLD_WITHIN_S = 60.0
LIMIT_KM_H = 50
CONTACT_PX = 6
"""Of the small pictures; of 0.4 s late a car is further off."""
FPS = 15


SHIPPED_SCENARIO = (SHIPPED / "signalled-junction.toml").read_text()
LIVE = SHIPPED_SCENARIO.replace(
    'scene = "junction", limit_km_h = 50',
    f'scene = "junction", limit_km_h = 50, main_stream = true, main_late_s = {LATE_S}',
)


class Pixel(NamedTuple):
    u: float
    v: float


def scene() -> Scene:
    """What the scenario's camera looks at."""
    return busy_junction(load_scenario("signalled-junction").seed_of(1, 0))


def shown_at_s(picture: Image, box: Box, near_s: float, looked_at: Scene) -> float:
    """The time of the scene at which its road looks most like the picture, where the box is."""
    left, top, right, bottom = box
    small = cv2.cvtColor(cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    cut = small[top:bottom, left:right]

    def likeness(t_s: float) -> float:
        grey = cv2.cvtColor(looked_at.render(t_s), cv2.COLOR_BGR2GRAY)[top:bottom, left:right]
        return float(cv2.matchTemplate(cut, grey, cv2.TM_CCOEFF_NORMED)[0, 0])

    first = round((near_s - 1.2) * FPS)
    return max((frame / FPS for frame in range(first, first + round(2.4 * FPS))), key=likeness)


def began_at(sped: list[dict[str, Any]]) -> float:
    """UTC (s) of the beginning of the scene, by whoever sped first: no two are of one speed."""
    (at_s,) = (one.t_s for one in passings(scene(), LIMIT_KM_H) if one.data == sped[0]["data"])
    return float(sped[0]["at"]) - at_s


def true_contacts(lane: str, picture: Image, near_s: float, box: Box) -> list[Pixel]:
    """Where, in the scene at the time that the picture shows, cars of a lane stand on the road."""
    looked_at = scene()
    at_s = shown_at_s(picture, box, near_s % looked_at.duration_s, looked_at)
    places = [
        looked_at.contact_m(one.number, at_s)
        for one in looked_at.vehicles
        if one.lane == lane and looked_at.is_in_view(one.number, at_s)
    ]
    return [Pixel(*looked_at.pose.project_ground(np.array([one]))[0]) for one in places]


def shows_the_car(lane: str, evidence: Evidence, began_s: float) -> bool:
    """Whether, in the first and the last picture of all of it, the track's box is where the car truly is in them."""
    whole = [one for one in evidence.pictures if box_at(evidence, one[1]).bottom < SMALL[1] - CONTACT_PX]
    for picture, taken_us in (whole[0], whole[-1]):
        box = box_at(evidence, taken_us)
        contacts = true_contacts(lane, picture, taken_us / 1e6 - began_s, box)
        if not any(box.left <= one.u <= box.right and abs(one.v - box.bottom) <= CONTACT_PX for one in contacts):
            return False
    return True


def box_at(evidence: Evidence, taken_us: int) -> Box:
    return Box(*min(evidence.points, key=lambda one: abs(one["utc_us"] - taken_us))["box"])


def test_what_a_live_camera_tells_is_true_and_shown_by_its_large_stream_though_that_is_later(tmp_path: Path) -> None:
    needs("rtsp")
    with stream_place(tmp_path, LIVE) as place:
        place.start_gateway()
        until(lambda: {one.type for one in place.events(*VIOLATIONS)} == set(VIOLATIONS), TOLD_WITHIN_S)
        told = len(place.events(*VIOLATIONS))
        frozen_us = time.time_ns() // 1000
        os.kill(place.stream_server(LARGE[0]), signal.SIGSTOP)
        until(
            lambda: [one for one in place.events(*VIOLATIONS)[told:] if one.data["taken_us"] > frozen_us], TOLD_WITHIN_S
        )
        until(lambda: any("no large pictures" in one for one in place.reasons("impaired")))
        place.stop_gateway()
        began_s = began_at(place.truths("vehicle.speeding"))
        kept = place.evidence()
        assert "DOES NOT HOLD" not in place.check()
        for event in place.events(*VIOLATIONS):
            evidence = kept.pop(event.evidence[0])
            sizes = {(picture.shape[1], picture.shape[0]) for picture, _ in evidence.pictures}
            if event.data["taken_us"] < frozen_us - 1_000_000:
                assert sizes == {LARGE}
            elif event.data["taken_us"] > frozen_us + 1_000_000:
                assert sizes == {SMALL}
            assert shows_the_car(event.data["lane"], evidence, began_s)
        assert kept == {}, "there is no evidence without its event"
