"""Who passes a count line is counted once; on rendered scenes here, on many more of them in `make bench`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.camera.frame import ClockClass, Frame
from devices.camera.track import Direction
from devices.camera.vehicles.tracker import VehicleTracker
from devices.driver import DeviceError
from devices.sim.camera.light import DAY, OVERCAST, RAIN
from devices.sim.camera.traffic import MAST, TWO_WAY, free_flow, queue
from tests.support.counted_scenes import HIDDEN_MAX_S, calibration_of, counted, crossings_of, frames_of

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Image
    from devices.sim.camera.light import Light

CLIP_LANE = """\
survey_date = 2026-11-22

[frame]
width_px = 768
height_px = 432

[[lane]]
id = "road"
count_line = [[20.0, 250.0], [748.0, 250.0]]
"""


@pytest.mark.parametrize("light", [DAY, OVERCAST], ids=["sun", "overcast"])
def test_free_traffic_in_both_directions_is_counted_right(light: Light) -> None:
    scene = free_flow(5, 11, light=light)
    found = counted(scene, crossings_of(scene))
    assert (found.missed, found.false) == (0, 0)
    assert found.true == 5


def test_a_queue_in_rain_is_told_apart_by_its_lamps() -> None:
    scene = queue(5, 202, layout=replace(TWO_WAY, count_line_m=16.0), light=RAIN, pose=MAST)
    scene = replace(scene, duration_s=24.0)
    found = counted(scene, crossings_of(scene), HIDDEN_MAX_S)
    assert (found.missed, found.false) == (0, 0)
    assert found.true == 2


def as_sent(image: Image) -> Image:
    """As a cheap lens, a sensor in poor light and a low bit rate leave it: soft, and noisy once more."""
    noise = np.random.default_rng(image.size).integers(-4, 5, image.shape, dtype=np.int16)
    worse = np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) + noise, 0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", worse, (cv2.IMWRITE_JPEG_QUALITY, 30))
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def test_streaks_of_rain_on_an_empty_road_are_no_vehicles_however_soft_the_picture_is() -> None:
    scene = replace(queue(1, 45, light=RAIN, pose=MAST), vehicles=())
    tracker = VehicleTracker(calibration_of(scene))
    frames = (frame._replace(image=as_sent(frame.image)) for frame in frames_of(replace(scene, duration_s=16.0)))
    assert [track for frame in frames for track in tracker.take(frame).live] == []


def test_four_vehicles_are_counted_in_a_real_clip_whose_exposure_swings(corpora: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.toml"
    path.write_text(CLIP_LANE)
    tracker = VehicleTracker(load_calibration(path))
    video = cv2.VideoCapture(str(corpora / "cameras/video/car-detection.mp4"))
    passed = []
    while (read := video.read())[0]:
        at_us = round(video.get(cv2.CAP_PROP_POS_MSEC) * 1000)
        frame = Frame(np.asarray(read[1], np.uint8), at_us, at_us, at_us, 1000, 1, ClockClass.CONTAINER)
        passed += [crossing.direction for crossing in tracker.take(frame).crossings]
    video.release()
    assert sorted(passed) == [Direction.APPROACHING] * 2 + [Direction.DEPARTING] * 2


def test_brightness_that_jumps_makes_no_vehicle() -> None:
    scene = replace(free_flow(1, 3), vehicles=(), duration_s=6.0, exposure_jumps=((1.5, 1.5), (3.5, 0.6)))
    assert crossings_of(scene) == []


def test_a_new_epoch_ends_every_track_and_begins_none_with_it() -> None:
    scene = free_flow(3, 11)
    tracker = VehicleTracker(calibration_of(scene))
    for frame in frames_of(scene):
        live = tracker.take(frame).live
        if len(live) > 0 and len(live[0].points) > 5:
            break
    seen = tracker.take(frame._replace(presentation_us=0, epoch=frame.epoch + 1))
    assert {one.number for one in seen.ended} >= {one.number for one in live}
    assert not {one.number for one in seen.live} & {one.number for one in live}


def test_frames_of_another_size_than_the_calibrations_are_refused() -> None:
    scene = free_flow(1, 3)
    tracker = VehicleTracker(calibration_of(scene))
    image = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(DeviceError, match="100x100"):
        tracker.take(Frame(image, 0, 0, 0, 0, 1, ClockClass.CONTAINER))
