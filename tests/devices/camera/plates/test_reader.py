"""Plates read in whole pictures: photographs of the corpora, and cars that are rendered."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.camera.plates.countries import country_syntax
from devices.camera.plates.models import open_reader
from devices.camera.plates.voting import vote
from devices.sim.camera.layout import Layout
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind
from devices.sim.camera.traffic import TWO_WAY, free_flow

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Image
    from devices.camera.plates.reader import PlateReader

# Of each kind: sharp and well lit, small or dark, and one that the recogniser alone reads otherwise.
PHOTOGRAPHS = {
    "br/JRD2238.jpg": "JRD2238",
    "br/JST2699.jpg": "JST2699",
    "eu/test_002.jpg": "RK755AJ",
    "eu/test_025.jpg": "RK896AO",
    "us/car9.jpg": "PE3R2X",
    "us/car17.jpg": "L781601",
}
NEAR = Pose(1280, 720, height_m=6.0, tilt_deg=16.0, focal_px=2600.0)


@cache
def reader(models: Path, country: str) -> PlateReader:
    return open_reader(country_syntax(country), models)


def photograph(corpora: Path, name: str) -> Image:
    image = cv2.imread(str(corpora / "cameras" / "plates" / name))
    assert image is not None
    return np.asarray(image, np.uint8)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photographs_plate_is_found_and_read(models: Path, corpora: Path, name: str) -> None:
    reading = reader(models, name[:2]).read(photograph(corpora, name))
    assert reading is not None
    assert reading.text == PHOTOGRAPHS[name]


def test_corners_lie_on_the_plate(models: Path, corpora: Path) -> None:
    reading = reader(models, "br").read(photograph(corpora, "br/OZK4620.jpg"))
    assert reading is not None
    left, top, width, height = 830, 593, 371, 120  # as the photograph is labelled
    assert reading.width_px == pytest.approx(width, rel=0.15)
    for (x, y), corner in zip(reading.corners, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        assert x == pytest.approx(left + corner[0] * width, abs=0.15 * width)
        assert y == pytest.approx(top + corner[1] * height, abs=0.4 * height)


def test_a_plate_that_the_picture_cuts_is_not_read(models: Path, corpora: Path) -> None:
    cut = photograph(corpora, "br/GWT2180.jpg")[:, 529 + 27 :]  # the plate begins at 529 and is 227 wide
    assert reader(models, "br").read(cut) is None


def test_a_character_that_the_first_look_cut_off_is_read_at_the_second(models: Path, corpora: Path) -> None:
    image = photograph(corpora, "eu/test_008.jpg")
    turned = cv2.getRotationMatrix2D((165 + 124 / 2, 282), 5, 1.0)
    reading = reader(models, "eu").read(
        np.asarray(cv2.warpAffine(image, turned, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)
    )
    assert reading is not None
    assert reading.text == "LM298AI"


def test_what_is_too_blurred_to_read_is_not_published(models: Path, corpora: Path) -> None:
    blurred = cv2.GaussianBlur(photograph(corpora, "eu/test_001.jpg"), (0, 0), 3.0)
    reading = reader(models, "eu").read(np.asarray(blurred, np.uint8))
    assert reading is None or not reading.is_published


@pytest.mark.parametrize(
    "image",
    [np.full((720, 1280, 3), 90, np.uint8), np.zeros((1, 1, 3), np.uint8), np.full((20, 400, 3), 255, np.uint8)],
    ids=["grey", "one pixel", "strip"],
)
def test_where_there_is_no_plate_none_is_read(models: Path, image: Image) -> None:
    assert reader(models, "eu").read(image) is None


@pytest.mark.parametrize(("seed", "country"), [(1, "eu"), (2, "us"), (3, "br")])
def test_a_rendered_cars_plate_is_voted_on_and_published(models: Path, seed: int, country: str) -> None:
    scene = free_flow(1, seed, pose=NEAR, kinds=(Kind.CAR,), layout=Layout(TWO_WAY.lanes[:1]))
    car = scene.vehicles[0]
    assert car.country == country
    near = [t for t in np.arange(0, scene.duration_s, 0.1) if 13 < scene.contact_m(1, t)[1] < 19]
    readings = [reader(models, country).read(scene.render(float(t))) for t in near[-2:]]
    voted = vote([one for one in readings if one is not None])
    assert voted is not None
    assert voted.text == car.plate.replace(" ", "")
    assert voted.is_published
