from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.camera.red_light.front import LIMITS, Limits, front_before_us
from devices.camera.track import VehicleClass
from tests.devices.camera.red_light.junction import FRAME_S, point

STOP_M = 30.0
STEP_S = 0.005


def motion(begin_m_s: float, accelerations: list[float]) -> list[tuple[float, float]]:
    """(second, metres of the rear) in small steps, at one acceleration a second; it never goes back."""
    time, place, speed, found = 0.0, 0.0, begin_m_s, [(0.0, 0.0)]
    for acceleration in accelerations:
        for _ in range(round(1 / STEP_S)):
            time, place, speed = time + STEP_S, place + speed * STEP_S, max(0.0, speed + acceleration * STEP_S)
            found.append((time, place))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([(kind, one) for kind, several in LIMITS.items() for one in several]),
    st.floats(0, 1),
    st.floats(0, 25),
    st.lists(st.floats(-6, 1), min_size=6, max_size=10),
    st.floats(2, 28),
)
def test_the_front_is_never_put_later_than_it_truly_was(
    vehicle: tuple[VehicleClass, Limits], share: float, begin_m_s: float, accelerations: list[float], seen_from_m: float
) -> None:
    kind, limits = vehicle
    length_m = share * limits.length_m
    way = motion(begin_m_s, [limits.acceleration_m_s2 * one if one > 0 else one for one in accelerations])
    front_s = next((time for time, place in way if place + length_m >= STOP_M), None)
    approach = [point(time, place) for time, place in way[:: round(FRAME_S / STEP_S)] if seen_from_m <= place < STOP_M]
    if len(approach) < 2 or front_s is None or way[-1][1] < STOP_M:
        return
    before_us = front_before_us(approach, kind)
    assert before_us is None or before_us <= front_s * 1e6 + 1e6 * STEP_S


@pytest.mark.parametrize(("seen_from_m", "late_s"), [(0.0, 0.0), (20.0, 0.2)])
def test_at_a_steady_speed_it_is_as_late_as_the_longest_vehicles(seen_from_m: float, late_s: float) -> None:
    approach = [point(place / 14.0, place) for place in range(30) if place >= seen_from_m]
    before_us = front_before_us(approach, VehicleClass.LIGHT)
    assert before_us is not None
    # 12 m at 14 m/s before the last point of the rear before the line.
    assert -1e-6 <= 29 / 14.0 - 12 / 14.0 - before_us / 1e6 <= late_s + 0.1


def test_who_may_have_stood_there_gives_no_time() -> None:
    standing = [point(index * FRAME_S, 25.0) for index in range(60)]
    starting = [point(4.0 + index * FRAME_S, 25.0 + 1.5 * (index * FRAME_S) ** 2) for index in range(27)]
    assert front_before_us([*standing, *starting], VehicleClass.LIGHT) is None
    assert front_before_us(starting, VehicleClass.LIGHT) is None
    assert front_before_us(starting[-3:], VehicleClass.LIGHT) is None
