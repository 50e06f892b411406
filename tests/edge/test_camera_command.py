"""`wayside camera calibrate`, as a technician runs it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.view_reference import load_reference
from devices.sim.camera.survey import SurveyError
from devices.sim.camera.traffic import free_flow
from edge.cli import main
from tests.support.city_files import make_city

if TYPE_CHECKING:
    from devices.sim.camera.scene import Scene

WAYSIDE = Path(sys.executable).with_name("wayside")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return free_flow(8, 2)


@pytest.fixture
def calibration(tmp_path: Path, scene: Scene) -> Path:
    path = tmp_path / "junction.toml"
    path.write_text(scene.calibration_toml(SurveyError(0.4, 0.01)), encoding="utf-8")
    return path


@pytest.fixture
def picture(tmp_path: Path, scene: Scene) -> Path:
    path = tmp_path / "frame.png"
    cv2.imwrite(str(path), scene.render(3.0))
    return path


def calibrate(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """What it prints with `--json`; on stderr if there is no answer."""
    assert main(["camera", "calibrate", "--json", *map(str, arguments)]) == code
    printed = capsys.readouterr()
    return json.loads(printed.out) if printed.out else printed.err


def test_a_sound_calibration_is_told_with_its_uncertainties(
    capsys: pytest.CaptureFixture[str], calibration: Path
) -> None:
    told = calibrate(capsys, "--calibration", calibration)
    assert told["problems"] == []
    assert told["sha256"] == load_calibration(calibration).sha256.hex()
    survey = told["survey"]
    assert survey["date"] == "2026-11-20"
    assert 0 < survey["longest"]["uncertainty_m"] < 0.02 * survey["longest"]["length_m"]
    assert len(survey["marks"]) == 10
    assert all(abs(one["residual_m"]) < one["noticeable_m"] for one in survey["distances"])
    for lane in told["lanes"]:
        assert lane["speed_zone"]["length_m"] == pytest.approx(30.2, abs=0.5)


def test_a_person_reads_the_same_in_sentences(capsys: pytest.CaptureFixture[str], calibration: Path) -> None:
    assert main(["camera", "calibrate", "--calibration", str(calibration)]) == 0
    printed = capsys.readouterr().out
    assert "surveyed 2026-11-20" in printed
    assert "lane in: count_line, speed zone 30." in printed
    assert f"sha256 {load_calibration(calibration).sha256.hex()}" in printed


def test_a_wrong_distance_fails_with_its_name_and_the_mend(
    capsys: pytest.CaptureFixture[str], calibration: Path
) -> None:
    text = calibration.read_text(encoding="utf-8")
    before, after = text.split("metres = ", 1)
    calibration.write_text(f"{before}metres = 1{after}", encoding="utf-8")
    (problem,) = calibrate(capsys, "--calibration", calibration, code=1)["problems"]
    assert problem.startswith("distance[0]: L0 to L1 is 1")
    assert problem.endswith("by all the others; measure it again")


def test_a_file_that_is_not_there_or_a_frame_that_is_not_named_could_not_be_tried(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, calibration: Path
) -> None:
    assert "No such file" in calibrate(capsys, "--calibration", tmp_path / "missing.toml", code=2)
    assert "Is a directory" in calibrate(capsys, "--calibration", tmp_path, code=2)
    told = calibrate(capsys, "--calibration", calibration, "--confirm", code=2)
    assert told == "wayside: --confirm needs a frame; name a picture, a video or a camera with --frame\n"


def test_the_frame_is_drawn_over_for_a_person_to_look_at(
    capsys: pytest.CaptureFixture[str], calibration: Path, picture: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "grid.png"
    calibrate(capsys, "--calibration", calibration, "--frame", picture, "--picture", drawn)
    before, after = cv2.imread(str(picture)), cv2.imread(str(drawn))
    assert before is not None
    assert after is not None
    changed = np.abs(before.astype(int) - after).max(axis=2) > 20
    assert 0.02 < changed.mean() < 0.4


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_frame_that_is_no_picture_could_not_be_tried(
    capsys: pytest.CaptureFixture[str], calibration: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "frame.png"
    path.write_bytes(content)
    told = calibrate(capsys, "--calibration", calibration, "--frame", path, "--picture", tmp_path / "o.png", code=2)
    assert told == f"wayside: --frame: {path} is no picture that can be read; give PNG or JPEG\n"


def test_a_frame_of_another_size_could_not_be_drawn_over(
    capsys: pytest.CaptureFixture[str], calibration: Path, tmp_path: Path
) -> None:
    path = tmp_path / "frame.png"
    cv2.imwrite(str(path), np.zeros((480, 640, 3), np.uint8))
    for more in (("--picture", tmp_path / "o.png"), ()):
        told = calibrate(capsys, "--calibration", calibration, "--frame", path, *more, code=2)
        assert "--frame: is 640x480, the calibration is for 640x360" in told


def test_a_frame_that_is_not_there_could_not_be_tried_whatever_it_is_for(
    capsys: pytest.CaptureFixture[str], calibration: Path, tmp_path: Path
) -> None:
    for more in (("--picture", tmp_path / "o.png"), ("--confirm",), ()):
        told = calibrate(capsys, "--calibration", calibration, "--frame", tmp_path / "none.png", *more, code=2)
        assert told.startswith("wayside: ")
        assert "none.png" in told
        assert len(told.splitlines()) == 1


def film(path: Path, scene: Scene, *, right_px: int = 0) -> Path:
    """Six seconds of the scene; everything in it is so many pixels further right."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 2.0, (640, 360))
    for number in range(12):
        writer.write(np.roll(scene.render(number / 2), right_px, axis=1))
    writer.release()
    return path


def test_a_video_confirms_the_view_and_it_is_told_how_far_that_has_moved_since(
    capsys: pytest.CaptureFixture[str], calibration: Path, scene: Scene, tmp_path: Path
) -> None:
    view = calibration.with_suffix(".view")
    for broken in (None, b"no view"):
        if broken:
            view.write_bytes(broken)
        told = calibrate(capsys, "--calibration", calibration, "--frame", film(tmp_path / "1.avi", scene), "--confirm")
        assert (told["problems"], told["view"]) == ([], str(view))
        assert (told["was_confirmed"], told["moved_px"]) == (False, None)
    load_reference(calibration, load_calibration(calibration).sha256)
    calibration.write_text(calibration.read_text() + "\n# another version\n")
    moved = film(tmp_path / "2.avi", scene, right_px=3)
    told = calibrate(capsys, "--calibration", calibration, "--frame", moved, "--confirm")
    assert told["was_confirmed"]
    assert told["moved_px"] == pytest.approx(3.0, abs=0.3)
    given = ["--calibration", str(calibration), "--frame", str(moved), "--confirm"]
    assert main(["camera", "calibrate", *given]) == 0
    last = "it has moved by 0.0 px (of a frame 640 px wide) since it was confirmed last"
    assert capsys.readouterr().out.splitlines()[-1] == f"view confirmed: {view}; {last}"


def test_a_still_picture_confirms_nothing(capsys: pytest.CaptureFixture[str], calibration: Path, picture: Path) -> None:
    (problem,) = calibrate(capsys, "--calibration", calibration, "--frame", picture, "--confirm", code=1)["problems"]
    assert problem == "view: only 1 frames came; give a video of 5 s or more"
    assert not calibration.with_suffix(".view").exists()


def test_check_says_what_a_camera_lacks_and_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], calibration: Path, scene: Scene, tmp_path: Path
) -> None:
    video = film(tmp_path / "view.avi", scene)
    table = f"""
    [[device]]
    id = "camera-1"
    driver = "camera"
    port = "{video}"
    calibration = "{calibration.name}"
    record_passages = true
    """
    config = make_city(tmp_path, 1883, devices={}, tables=table).gateway_config

    def lacks() -> list[str]:
        assert main(["check", "--config", str(config), "--json"]) == 0
        told: list[str] = json.loads(capsys.readouterr().out)["unprepared"].get("camera-1", [])
        return told

    (said,) = lacks()
    assert said.startswith(f"{calibration.with_suffix('.view')}: cannot be read (No such file or directory)")
    assert main(["check", "--config", str(config)]) == 0
    assert f"camera-1 cannot work yet: {said}" in capsys.readouterr().out.splitlines()
    assert main(shlex.split(said.partition(": wayside ")[2])) == 0
    capsys.readouterr()
    assert lacks() == []
    calibration.write_text(calibration.read_text() + "# another version\n")
    assert "was confirmed for another version of junction.toml" in lacks()[0]
    calibration.unlink()
    assert "junction.toml: cannot be read" in lacks()[0]


def test_a_camera_that_only_counts_lacks_no_view(
    capsys: pytest.CaptureFixture[str], calibration: Path, tmp_path: Path
) -> None:
    table = f'[[device]]\nid = "camera-1"\ndriver = "camera"\nport = "a.avi"\ncalibration = "{calibration.name}"\n'
    config = make_city(tmp_path, 1883, devices={}, tables=table).gateway_config
    assert main(["check", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unprepared"] == {}


def test_the_page_is_served_until_it_is_ended(calibration: Path, picture: Path) -> None:
    command = [WAYSIDE, "camera", "calibrate", "--json", "--calibration", calibration, "--frame", picture, "--page"]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"camera calibration" in page.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_pipe_is_no_calibration_and_nobody_waits_for_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert "is a pipe; name a TOML file" in calibrate(capsys, "--calibration", tmp_path / "pipe.toml", code=2)


def test_a_credentials_file_that_is_not_there_could_not_be_tried(
    capsys: pytest.CaptureFixture[str], calibration: Path, tmp_path: Path
) -> None:
    camera = ("--frame", "rtsp://127.0.0.1:9/sub", "--credentials-file", tmp_path / "none")
    told = calibrate(capsys, "--calibration", calibration, *camera, "--picture", tmp_path / "o.png", code=2)
    assert told.startswith(f"wayside: --frame: credentials_file {tmp_path / 'none'}: cannot be read")


def test_without_an_output_the_exit_code_alone_tells(calibration: Path) -> None:
    command = f"exec {WAYSIDE} camera calibrate --calibration {calibration} >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False, timeout=60).returncode == 0
