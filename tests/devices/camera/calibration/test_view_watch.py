"""Whether the view watch tells a knock from traffic, weather, dusk and a jump of the exposure."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.camera.calibration.confirmation import NotConfirmableError, confirm_view
from devices.camera.calibration.view_reference import load_reference, view_file
from devices.camera.calibration.view_watch import ViewState, ViewWatch
from devices.sim.camera.light import DAY, NIGHT, OVERCAST, RAIN, Light
from devices.sim.camera.traffic import FOUR_LANES, OVERVIEW, free_flow
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devices.camera.calibration.view_reference import ViewReference
    from devices.camera.frame import Image
    from devices.sim.camera.pose import Pose

LIGHTS = {"day": DAY, "overcast": OVERCAST, "rain": RAIN, "night": NIGHT}
TRAFFIC = free_flow(14, 3, layout=FOUR_LANES)
ROAD_M = np.array([[x, y] for x in (-5.0, 0.0, 5.0) for y in (10.0, 15.0, 25.0, 40.0)])


@cache
def confirmed() -> ViewReference:
    """The view as it was confirmed by day, in running traffic."""
    return confirm_view([TRAFFIC.render(0.7 * number) for number in range(12)], bytes(32))


def seen(pose: Pose = TRAFFIC.pose, light: Light = DAY, times_s: Sequence[float] = (12.0, 13.0, 14.0)) -> list[Image]:
    scene = replace(TRAFFIC, pose=pose, light=light)
    return [scene.render(t_s) for t_s in times_s]


def moved_px(pose: Pose) -> float:
    """How far the road moves in the picture, when the camera hangs like this."""
    difference = pose.project_ground(ROAD_M) - TRAFFIC.pose.project_ground(ROAD_M)
    return float(np.sqrt((difference**2).sum(axis=1).mean()))


def shifted(image: Image, right_px: float, down_px: float) -> Image:
    height, width = image.shape[:2]
    motion = np.array([[1.0, 0.0, right_px], [0.0, 1.0, down_px]])
    return np.asarray(cv2.warpAffine(image, motion, (width, height), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def assert_state(watch: ViewWatch, state: ViewState) -> None:
    assert watch.state is state


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
def test_traffic_weather_and_dusk_are_no_movement(light: Light) -> None:
    watch = ViewWatch(confirmed())
    for image in seen(light=light, times_s=range(12, 16)):
        displacement = watch.take(image)
        assert displacement is not None
        assert displacement < 0.2
        assert_state(watch, ViewState.CONFIRMED)


def test_a_jump_of_the_exposure_is_no_movement() -> None:
    scene = replace(TRAFFIC, exposure_jumps=((12.0, 2.0), (14.0, 0.35)))
    watch = ViewWatch(confirmed())
    found = [watch.take(scene.render(12.0 + 0.5 * step)) for step in range(8)]
    assert all(displacement is not None and displacement < 0.2 for displacement in found)


def test_shadows_that_wander_through_the_day_are_no_movement() -> None:
    def with_shadow(image: Image, at_px: int) -> Image:
        dark = image.copy()
        corners = np.array([[at_px, 0], [at_px + 90, 0], [at_px + 220, 360], [at_px + 60, 360]])
        mask = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [corners], 1).astype(bool)
        dark[mask] = dark[mask] // 2
        return dark

    images = [TRAFFIC.render(0.7 * number) for number in range(12)]
    watch = ViewWatch(confirm_view([with_shadow(image, 100) for image in images], bytes(32)))
    for at_px in (106, 112, 130, 200, 300):
        displacement = watch.take(with_shadow(TRAFFIC.render(15.0), at_px))
        assert displacement is not None
        assert displacement < 0.3


@pytest.mark.parametrize(
    ("light", "pan_deg", "tilt_deg", "roll_deg"),
    [(DAY, 0.22, 0.0, 0.0), (DAY, 0.0, 0.0, 1.0), (NIGHT, 0.0, -0.22, 0.0), (NIGHT, 1.5, 0.8, 0.0)],
    ids=["2 px aside", "turned", "2 px up at night", "16 px aside at night"],
)
def test_a_knock_is_told_with_the_second_frame(light: Light, pan_deg: float, tilt_deg: float, roll_deg: float) -> None:
    pose = replace(OVERVIEW, pan_deg=pan_deg, tilt_deg=OVERVIEW.tilt_deg + tilt_deg, roll_deg=roll_deg)
    watch = ViewWatch(confirmed())
    watch.take(seen(light=light)[0])
    assert_state(watch, ViewState.CONFIRMED)
    found = [watch.take(image) for image in seen(pose, light)[:2]]
    assert_state(watch, ViewState.MOVED)
    assert found == pytest.approx([moved_px(pose)] * 2, rel=0.3, abs=0.2)


def test_a_camera_turned_to_something_else_is_unknown_within_five_frames() -> None:
    away = replace(OVERVIEW, pan_deg=25.0, tilt_deg=OVERVIEW.tilt_deg + 8.0)
    watch = ViewWatch(confirmed())
    watch.take(seen()[0])
    assert [watch.take(image) for image in seen(away, times_s=range(12, 16))] == [None] * 4
    assert_state(watch, ViewState.UNKNOWN)


def test_a_covered_lens_is_unknown_and_the_view_is_confirmed_again_when_it_is_clear() -> None:
    watch = ViewWatch(confirmed())
    image = seen()[0]
    watch.take(image)
    noise = np.random.default_rng(1).integers(0, 12, image.shape, dtype=np.uint8)
    assert [watch.take(noise) for _ in range(3)] == [None] * 3
    assert_state(watch, ViewState.CONFIRMED)  # a lorry passes the lens
    watch.take(noise)
    assert_state(watch, ViewState.UNKNOWN)
    watch.take(image)
    assert_state(watch, ViewState.CONFIRMED)


def test_nothing_is_confirmed_before_a_frame_was_seen() -> None:
    assert_state(ViewWatch(confirmed()), ViewState.UNKNOWN)


def test_one_frame_alone_is_no_knock() -> None:
    watch = ViewWatch(confirmed())
    image = seen()[0]
    watch.take(image)
    watch.take(shifted(image, 4.0, 0.0))
    assert_state(watch, ViewState.CONFIRMED)
    watch.take(image)
    watch.take(shifted(image, 4.0, 0.0))
    assert_state(watch, ViewState.CONFIRMED)


def test_a_moved_camera_stays_moved_through_a_fog_and_until_it_is_back() -> None:
    watch = ViewWatch(confirmed())
    image = seen()[0]
    for _ in range(2):
        watch.take(shifted(image, 3.0, 2.0))
    for _ in range(6):
        watch.take(np.full_like(image, 128))
    assert_state(watch, ViewState.MOVED)
    watch.take(image)
    assert_state(watch, ViewState.CONFIRMED)


def test_the_main_stream_of_the_same_view_is_recognised_too() -> None:
    image = seen()[0]
    twice = np.asarray(cv2.resize(image, None, fx=2.0, fy=2.0), dtype=np.uint8)
    displacement = ViewWatch(confirmed()).take(twice)
    assert displacement is not None
    assert displacement < 0.3


def test_the_file_of_a_view_is_read_back(tmp_path: Path) -> None:
    calibration = tmp_path / "junction.toml"
    confirmed().save(view_file(calibration))
    reference = load_reference(calibration, bytes(32))
    assert np.array_equal(reference.patches, confirmed().patches)
    assert ViewWatch(reference).take(seen()[0]) == pytest.approx(0.0, abs=0.2)


def test_the_file_of_a_view_holds_no_picture_of_who_walked_through_it() -> None:
    still = [TRAFFIC.render(0.0)] * 12
    walked = [image.copy() for image in still]
    for number, image in enumerate(walked):
        cv2.putText(image, "KL 512", (40 + 45 * number, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    one, other = confirm_view(still, bytes(32)), confirm_view(walked, bytes(32))
    shared = {tuple(corner): patch for corner, patch in zip(one.corners.tolist(), one.patches, strict=True)}
    left = [
        float(np.abs(patch.astype(float) - shared[tuple(corner)].astype(float)).mean())
        for corner, patch in zip(other.corners.tolist(), other.patches, strict=True)
        if tuple(corner) in shared
    ]
    assert len(left) > 10
    assert max(left) < 127 * 0.06  # one frame of twelve, where letters passed


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "longer", "altered"])
def test_a_file_that_is_no_confirmed_view_is_refused_with_the_mend(tmp_path: Path, damage: str) -> None:
    calibration = tmp_path / "junction.toml"
    path = view_file(calibration)
    confirmed().save(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    altered = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    damaged = {"cut": whole[:middle], "text": b"view", "longer": whole + b"\0" * (1 << 20), "altered": altered}
    path.write_bytes(damaged.get(damage, b""))
    if damage == "missing":
        path.unlink()
    with pytest.raises(SettingsError, match=r"junction\.view: .*; confirm the view again with `wayside camera calibr"):
        load_reference(calibration, bytes(32))


def test_a_view_confirmed_for_another_version_of_the_calibration_is_refused(tmp_path: Path) -> None:
    calibration = tmp_path / "junction.toml"
    confirmed().save(view_file(calibration))
    with pytest.raises(SettingsError, match=r"was confirmed for another version of junction\.toml"):
        load_reference(calibration, b"\1" * 32)


def test_a_view_without_edges_cannot_be_confirmed() -> None:
    with pytest.raises(NotConfirmableError, match="too few edges that stay"):
        confirm_view([np.full((360, 640, 3), 90, np.uint8)] * 12, bytes(32))


def test_a_camera_that_sways_cannot_be_confirmed() -> None:
    image = seen()[0]
    swaying = [shifted(image, 4.0 * np.sin(number), 0.0) for number in range(12)]
    with pytest.raises(NotConfirmableError, match="the camera moves, by"):
        confirm_view(swaying, bytes(32))


def test_a_short_video_cannot_confirm() -> None:
    with pytest.raises(NotConfirmableError, match="only 3 frames came"):
        confirm_view(seen(), bytes(32))


def test_a_real_camera_is_watched_to_half_a_pixel(corpora: Path) -> None:
    """The camera of this clip sways by pixels by itself: what is moved is told on top of that."""
    video = cv2.VideoCapture(str(corpora / "cameras/video/car-detection.mp4"))
    images = [np.asarray(video.read()[1], dtype=np.uint8) for _ in range(16)]
    video.release()
    watch = ViewWatch(confirm_view(images[:12], bytes(32)))
    scale = images[0].shape[1] / 640
    for image in images[12:]:
        by_itself = watch.take(image)
        moved = watch.take(shifted(image, 6.0 * scale, -3.0 * scale))
        assert by_itself is not None
        assert moved is not None
        assert moved == pytest.approx(np.hypot(6.0, 3.0), abs=by_itself + 0.5)
