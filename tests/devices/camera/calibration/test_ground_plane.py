from __future__ import annotations

import math

import numpy as np
import pytest

from devices.camera.calibration.ground_plane import GroundPlane, nominal_plane

# Metres a pixel grow with y; the horizon is where 1 - 0.002 * (400 - y) is 0: at y = -100.
PLANE = GroundPlane(
    np.array([[0.02, 0.0, -6.4], [0.0, -0.03, 12.0], [0.0, 0.002, 0.2]]),
    np.diag([1e-10, 0, 0, 0, 1e-10, 0, 0, 1e-12, 0]),
)


def test_what_the_picture_shows_on_the_road_is_found_in_the_picture_again() -> None:
    pixels = np.array([[0.0, 0.0], [320.0, 180.0], [640.0, 360.0]])
    assert np.allclose(PLANE.to_image(PLANE.to_ground(pixels)), pixels, atol=1e-9)


def test_nothing_at_or_above_the_horizon_has_a_place_on_the_road() -> None:
    at, above, below = PLANE.to_ground([[320.0, -100.0], [320.0, -150.0], [320.0, -90.0]])
    assert np.isnan(at).all()
    assert np.isnan(above).all()
    assert np.isfinite(below).all()


def test_what_lies_behind_the_camera_is_nowhere_in_the_picture() -> None:
    ahead = PLANE.to_ground([[320.0, 360.0]])[0]
    far, behind = PLANE.to_image([ahead, ahead - [0.0, 100.0]])
    assert np.isfinite(far).all()
    assert np.isnan(behind).all()


def test_a_pixel_is_worth_more_metres_the_farther_it_looks() -> None:
    near, far, sky = PLANE.point_uncertainty_m([[320.0, 350.0], [320.0, 10.0], [320.0, -200.0]], 1.0)
    assert near < far / 3
    assert sky == math.inf


def test_a_places_uncertainty_is_what_moving_the_pixel_does() -> None:
    pixel = np.array([320.0, 100.0])
    turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    around = PLANE.to_ground(pixel + 0.001 * np.column_stack([np.cos(turn), np.sin(turn)]))
    farthest = np.linalg.norm(around - PLANE.to_ground([pixel]), axis=1).max()
    assert PLANE.point_uncertainty_m([pixel], 1.0)[0] == pytest.approx(farthest / 0.001, rel=1e-3)


def test_a_frame_of_half_the_size_shows_the_same_road() -> None:
    half = PLANE.scaled(0.5, 0.5)
    pixels = np.array([[100.0, 120.0], [500.0, 300.0]])
    ends = PLANE.to_ground(pixels)
    assert np.allclose(half.to_ground(pixels / 2), ends)
    assert half.length_uncertainty(*ends) == pytest.approx(PLANE.length_uncertainty(*ends))
    assert half.point_uncertainty_m(pixels / 2, 0.5) == pytest.approx(PLANE.point_uncertainty_m(pixels, 1.0))


def test_a_length_of_nothing_is_certain_and_one_that_is_not_seen_is_not() -> None:
    start = PLANE.to_ground([[320.0, 300.0]])[0]
    assert PLANE.length_uncertainty(start, start) == 0.0
    assert PLANE.length_uncertainty(start, start - [0.0, 100.0]) == math.inf


def test_a_plane_that_nobody_surveyed_measures_no_length() -> None:
    plane = nominal_plane(640, 360)
    assert not plane.is_surveyed
    assert plane.length_uncertainty((0.0, 0.0), (1.0, 0.0)) == math.inf
    assert np.allclose(plane.to_ground([[0.0, 360.0], [640.0, 360.0]]), [[0.0, 0.0], [20.0, 0.0]])
    left_top = plane.to_ground([[0.0, 0.0]])[0]
    assert left_top[1] > 0  # away from the camera
