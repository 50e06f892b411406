from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.calibration import read_calibration
from devices.camera.calibration.ground_plane import nominal_plane
from devices.camera.calibration.lanes import Lane, Line
from devices.camera.drawing import LANE_COLOURS, draw_grid, draw_label, draw_lanes, draw_marks
from tests.devices.camera.calibration.roads import HEIGHT_PX, WIDTH_PX, Camera, survey_table

if TYPE_CHECKING:
    from devices.camera.frame import Image


def black() -> Image:
    return np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)


def brightness_at(image: Image, place_m: tuple[float, float]) -> int:
    """Of the brightest pixel next to where the camera sees a place."""
    x, y = np.floor(Camera().see([place_m])[0]).astype(int)
    return int(image[y - 1 : y + 2, x - 1 : x + 2].max())


def test_the_grid_lies_on_every_metre_and_brighter_on_every_five() -> None:
    plane = read_calibration(survey_table(with_coordinates=True), "", bytes(32)).calibration.plane
    assert plane is not None
    image = black()
    draw_grid(image, plane)
    for y_m in (13.0, 14.0, 16.0):
        assert 40 < brightness_at(image, (0.5, y_m)) <= 160
        assert brightness_at(image, (0.5, y_m + 0.5)) == 0
    for y_m in (15.0, 20.0, 30.0):
        assert brightness_at(image, (0.5, y_m)) > 170
    # Far away metres are too narrow to be told apart, and there is nothing above the horizon.
    assert brightness_at(image, (0.5, 57.0)) == 0
    assert not image[:20].any()


def test_a_plane_that_is_only_nominal_has_a_grid_too() -> None:
    image = black()
    draw_grid(image, nominal_plane(WIDTH_PX, HEIGHT_PX))
    # Its 20 m are as wide as the frame: a bright line every quarter of it.
    assert image[400, [WIDTH_PX // 4, WIDTH_PX // 2, 3 * WIDTH_PX // 4]].max(axis=1).min() > 150


def test_lanes_are_drawn_where_they_are() -> None:
    lane = Lane("1", Line((100.0, 300.5), (200.0, 300.5)), ((300.0, 100.0), (400.0, 100.0), (350.0, 200.0)))
    image = black()
    draw_lanes(image, [lane])
    assert tuple(image[300, 150]) == LANE_COLOURS["count_line"]
    assert not image[310, 150].any()
    assert image[100, 350].any()


def test_marks_have_their_cross_in_their_middle() -> None:
    image = black()
    draw_marks(image, ["A"], np.array([[640.5, 360.5]]))
    assert image[360, 633:648].any(axis=1).all()
    assert image[353:368, 640].any(axis=1).all()


def test_a_name_that_the_font_does_not_have_is_drawn_as_question_marks() -> None:
    one, other = black(), black()
    draw_label(one, (100.0, 100.0), "☃ 1")
    draw_label(other, (100.0, 100.0), "? 1")
    assert np.array_equal(one, other)
