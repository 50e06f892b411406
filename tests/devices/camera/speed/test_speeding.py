from __future__ import annotations

from typing import Any

import pytest

from devices.camera.frame import ClockClass
from devices.camera.speed.measurement import Measurement
from devices.camera.speed.speeding import passage_speed, speeding
from devices.camera.track import Direction
from ledger_sync.proof.event_schemas import VEHICLE_PASSAGE, VEHICLE_SPEEDING

LIMIT_MM_S = 13_889  # 50 km/h
SHA256 = bytes(range(32))
TAKEN_US = 1_763_800_000_123_456
MEASURED = Measurement(16.0017, 0.5002, 31, 0.0512, 24.9999, Direction.DEPARTING, ClockClass.RTSP)


def event(measurement: Measurement = MEASURED, tolerance_mm_s: int = 0) -> dict[str, Any] | None:
    return speeding(measurement, "out", TAKEN_US, LIMIT_MM_S, tolerance_mm_s, "indicative", SHA256)


def test_a_speeding_event_holds_integers_rounded_in_the_drivers_favour() -> None:
    assert event() == {
        "lane": "out",
        "taken_us": TAKEN_US,
        "speed_mm_s": 16_001,
        "uncertainty_mm_s": 501,
        "limit_mm_s": LIMIT_MM_S,
        "points": 31,
        "residual_mm": 52,
        "span_mm": 24_999,
        "clock": "rtsp",
        "class": "indicative",
        "calibration_sha256": SHA256,
    }
    VEHICLE_SPEEDING(event())


@pytest.mark.parametrize(("speed_m_s", "is_over"), [(14.389, False), (14.3895, False), (14.390, True)])
def test_it_is_a_violation_only_above_the_limit_by_more_than_the_uncertainty(speed_m_s: float, is_over: bool) -> None:  # noqa: FBT001 - a case's value
    assert (event(MEASURED._replace(speed_m_s=speed_m_s, uncertainty_m_s=0.5)) is not None) == is_over


def test_the_authoritys_tolerance_comes_on_top() -> None:
    assert event(tolerance_mm_s=1_611) is None
    assert event(tolerance_mm_s=1_610) is not None


@pytest.mark.parametrize("clock", ClockClass)
def test_no_clock_but_the_cameras_own_makes_a_violation(clock: ClockClass) -> None:
    assert (event(MEASURED._replace(clock=clock, speed_m_s=60.0)) is not None) == clock.is_enforceable


@pytest.mark.parametrize("clock", ClockClass)
def test_a_passage_tells_the_speed_by_any_clock_and_says_which(clock: ClockClass) -> None:
    told = passage_speed(MEASURED._replace(clock=clock), SHA256)
    assert told == {
        "speed_mm_s": 16_001,
        "uncertainty_mm_s": 501,
        "clock": clock.value,
        "calibration_sha256": SHA256,
    }
    VEHICLE_PASSAGE({"lane": "out", "direction": "departing", "class": "light", **told})
