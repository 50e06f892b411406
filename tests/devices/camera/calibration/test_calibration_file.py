from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration, read_calibration
from devices.camera.calibration.calibration_file import __doc__ as FORMAT  # noqa: N812 - the format's documentation
from devices.camera.calibration.lanes import Line
from devices.camera.calibration.toml_text import toml_text
from devices.sim.camera.survey import SurveyError
from devices.sim.camera.traffic import free_flow
from ledger_sync.proof.settings import SettingsError
from tests.devices.camera.calibration.roads import LANE, survey_table

if TYPE_CHECKING:
    from pathlib import Path

LANES_ONLY = """
[frame]
width_px = 640
height_px = 360
[[lane]]
id = "in-1"
count_line = [[100, 200.5], [300.0, 210.0]]
stop_line = [[90.0, 250.0], [320.0, 252.0]]
second_line = [[95.0, 220.0], [310.0, 222.0]]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "junction.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(table: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_calibration(table, "junction.toml", bytes(32))
    return caught.value.problems


def test_a_camera_that_only_counts_needs_lanes_alone(tmp_path: Path) -> None:
    calibration = load_calibration(write(tmp_path, LANES_ONLY))
    assert (calibration.width_px, calibration.height_px, calibration.plane) == (640, 360, None)
    (lane,) = calibration.lanes
    assert lane.id == "in-1"
    assert lane.count_line == Line((100.0, 200.5), (300.0, 210.0))
    assert list(lane.lines) == ["count_line", "stop_line", "second_line"]
    assert lane.speed_zone == ()


def test_its_hash_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, LANES_ONLY + "# reviewed\n")
    assert load_calibration(path).sha256 == hashlib.sha256(path.read_bytes()).digest()


def test_what_a_page_writes_is_what_was_judged(tmp_path: Path) -> None:
    table = survey_table(seed=1, with_coordinates=True, pairs=[(0, 1), (0, 4)])
    table["point"][0]["name"] = table["distance"][0]["from"] = table["distance"][1]["from"] = 'kerb "ß" \\ ☃'
    read = load_calibration(write(tmp_path, toml_text(table)))
    judged = read_calibration(table, "page", bytes(32)).calibration
    assert read.lanes == judged.lanes
    assert read.plane is not None
    assert judged.plane is not None
    assert np.array_equal(read.plane.to_metres, judged.plane.to_metres)


def test_the_survey_of_a_rendered_scene_fits(tmp_path: Path) -> None:
    text = free_flow(1, 1).calibration_toml(SurveyError(0.5, 0.01))
    calibration = load_calibration(write(tmp_path, text))
    assert calibration.plane is not None
    assert all(lane.speed_zone for lane in calibration.lanes)


def test_a_sub_stream_of_the_same_view_has_the_same_lanes_and_road(tmp_path: Path) -> None:
    whole = load_calibration(write(tmp_path, toml_text(survey_table())))
    part = whole.scaled_to(640, 360)
    assert (part.width_px, part.height_px, part.sha256) == (640, 360, whole.sha256)
    assert part.lanes[0].count_line == Line((150.0, 200.0), (350.0, 200.0))
    assert part.plane is not None
    assert whole.plane is not None
    assert np.allclose(part.plane.to_ground([[320.0, 300.0]]), whole.plane.to_ground([[640.0, 600.0]]))


def test_a_stream_of_another_ratio_does_not_show_the_same(tmp_path: Path) -> None:
    calibration = load_calibration(write(tmp_path, LANES_ONLY))
    calibration.scaled_to(352, 198)
    with pytest.raises(
        ValueError, match=r"frames are 640x480, the calibration is for 640x360.*calibrate on a frame of"
    ):
        calibration.scaled_to(640, 480)


def test_every_mistake_of_form_is_told_at_once(tmp_path: Path) -> None:
    text = """
sigma_px = 0
survey_date = "yesterday"
[frame]
width_px = 640
[[point]]
name = "A"
x_px = "left"
y_px = 3
x_m = 1.0
[[distance]]
from = "A"
too = "B"
metres = 0.1
uncertainty_m = 0.02
[[lane]]
id = "much too long"
count_line = [[1.0, 2.0], [2.0, 2.0]]
speed_zone = [[0, 0], [100, 100], [100, 0], [0, 100]]
stop_line = [[0, 0], [1]]
"""
    with pytest.raises(SettingsError) as caught:
        load_calibration(write(tmp_path, text))
    told = "\n".join(caught.value.problems)
    for mistake in (
        "frame.height_px: is missing; the frame's height, such as 720",
        "sigma_px: is 0; must be from 0.1 to 20.0",
        "survey_date: must be a date without quotes, such as 2026-11-20",
        "point[0].x_px: must be a number, not text",
        "distance[0].too: unknown key; did you mean to?",
        "distance[0].to: is missing; the mark it ends at",
        "distance[0].metres: is 0.1; must be from 0.5 to 1000.0",
        "lane[0].id: must be 1 to 8 letters, digits and hyphens",
        "lane[0].count_line: is shorter than 4 px",
        "lane[0].speed_zone: has sides that cross each other",
        "lane[0].stop_line: each point must be [x, y]",
    ):
        assert mistake in told
    assert len(caught.value.problems) == 11


def test_every_contradiction_is_told_at_once() -> None:
    table = survey_table()
    del table["survey_date"]
    table["point"][1]["name"] = "A"
    table["point"][2]["x_px"] = 1281.0
    table["point"][3] |= {"x_px": table["point"][4]["x_px"], "y_px": table["point"][4]["y_px"]}
    table["distance"][9]["to"] = "Z"
    table["distance"][14]["to"] = "E"
    table["lane"] = [LANE, {**LANE, "count_line": [[0.0, 0.0], [0.0, 900.0]]}, {"id": "2"}]
    told = "\n".join(problems_of(table))
    for mistake in (
        "lane[0].id: 1 is there 2 times; each lane needs its own",
        "lane[1].count_line: (0, 900) is outside the frame of 1280x720 px",
        "lane[2]: has no line and no zone",
        "survey_date: is missing",
        "point[0].name: A is there 2 times; name each mark once",
        "point[2]: (1281, ",
        "point[4]: E is where D is; point at each mark in the frame",
        "distance[9].to: there is no mark 'Z'; marks: A, A, C, D, E, F",
        "distance[14]: goes from E to itself; name two marks",
    ):
        assert mistake in told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"point": [], "distance": [], "lane": [{"id": "1", "speed_zone": [[0, 0], [0, 99], [99, 0]]}]},
            "surveyed road",
        ),
        ({"distance": []}, "distance: there are 0; measure 2 to 64 between marks"),
        ({"lane": []}, "lane: has 0 items; must have at least 1"),
        ({"lane": [{**LANE, "stop_line": [[0, 0], [50, 50]]}]}, "red light needs both"),
    ],
)
def test_what_belongs_together_is_given_together(changed: dict[str, Any], told: str) -> None:
    assert told in "\n".join(problems_of({**survey_table(), **changed}))


def test_one_coordinate_of_two_is_refused() -> None:
    table = survey_table()
    table["point"][0]["x_m"] = 1.0
    assert problems_of(table) == ("point[0]: has one of x_m and y_m; give both, or neither where it was not surveyed",)


def test_the_documented_format_is_the_format(tmp_path: Path) -> None:
    assert FORMAT is not None
    text = FORMAT.split("```toml\n")[1].split("```")[0]
    with pytest.raises(SettingsError) as caught:
        load_calibration(write(tmp_path, text))
    # Its keys are all known; only there are too few of everything.
    assert caught.value.problems == (
        "point: there are 1 marks; survey 5 to 24",
        "distance: there are 1; measure 2 to 64 between marks",
        "distance[0].to: there is no mark 'B'; marks: A",
    )


@pytest.mark.parametrize("name", ["point", "distance", "lane"])
def test_a_file_of_absurd_length_is_told_in_one_sentence(name: str) -> None:
    row = {
        "point": {"name": "A", "x_px": 1.0, "y_px": 1.0},
        "distance": {"from": "A", "to": "A", "metres": 1.0, "uncertainty_m": 0.1},
        "lane": {"id": "1", "count_line": [[0, 0], [0, 9999]]},
    }[name]
    lane = [{"id": "1", "count_line": [[0, 0], [9, 9]]}]
    table = {"frame": {"width_px": 1280, "height_px": 720}, "lane": lane} | {name: [row] * 500}
    assert len([problem for problem in problems_of(table) if problem.startswith(name)]) == 1


def test_a_number_beyond_all_measure_is_told_with_its_place() -> None:
    table = {"frame": {"width_px": 1280, "height_px": 720}, "lane": [{"id": "1", "count_line": [[10**400, 0], [5, 5]]}]}
    assert problems_of(table) == ("lane[0].count_line: each point must be [x, y], two finite numbers",)
