"""Pictures that are lost while the camera stamps the next ones as if none were: too few for the stream's clock to see.

Each makes what follows seem earlier, and so the vehicle faster.
"""

from __future__ import annotations

import numpy as np
import pytest

from devices.camera.frame import ClockClass
from devices.camera.source.stream_clock import DELAY_US_MAX
from devices.camera.speed.measure import measure
from devices.camera.speed.measurement import Measurement
from tests.devices.camera.speed.tracks import FRAME_SIZE, Drive, plane, zone

PASSAGES = 12


@pytest.mark.parametrize("km_h", [50, 100, 130])
@pytest.mark.parametrize("frames_per_s", [15.0, 30.0])
def test_who_is_measured_over_a_loss_that_the_clock_does_not_see_is_measured_within_the_stated_uncertainty(
    frames_per_s: float, km_h: int
) -> None:
    measured = 0
    for seed in range(PASSAGES):
        random = np.random.default_rng(seed)
        points = Drive(km_h / 3.6, frames_per_s, departing=bool(seed % 2)).points(seed)
        lost = int(random.integers(1, int(DELAY_US_MAX / 1e6 * frames_per_s) + 1))
        first = int(random.integers(1, len(points) - lost))
        early_us = round(lost / frames_per_s * 1e6)
        after = [one._replace(presentation_us=one.presentation_us - early_us) for one in points[first + lost :]]
        found = measure([*points[:first], *after], plane(), FRAME_SIZE, zone(), ClockClass.RTSP)
        if isinstance(found, Measurement):
            measured += 1
            assert abs(found.speed_m_s - km_h / 3.6) <= found.uncertainty_m_s
    assert measured > 0
