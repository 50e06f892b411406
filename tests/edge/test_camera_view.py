"""`wayside camera view`, as a technician runs it on a rendered clip."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.camera.speed.measurement import Reason
from edge.cli import main
from tests.support.clips import Clip, one_speeding_car

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Image

FILE_BYTES_MAX = 8192
RED, YELLOW, ZONE = (0, 0, 255), (0, 255, 255), (255, 160, 60)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return one_speeding_car(tmp_path_factory.mktemp("clip"))


def view(capsys: pytest.CaptureFixture[str], clip: Clip, output: Path, *arguments: object) -> Any:
    """What it prints with `--json`."""
    given = [clip.video, "--calibration", clip.calibration, "-o", output, "--json", *arguments]
    assert main(["camera", "view", *map(str, given)]) == 0
    return json.loads(capsys.readouterr().out)


def frames_of(video: Path) -> list[Image]:
    capture = cv2.VideoCapture(str(video))
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames


def share_of(colour: tuple[int, int, int], shown: Image) -> float:
    """How much of a picture has about this colour, as far as compression leaves it."""
    return float((np.abs(shown.astype(int) - colour).max(axis=2) < 80).mean())


def most(colour: tuple[int, int, int], shown: list[Image]) -> float:
    return max(share_of(colour, frame) for frame in shown)


def test_counts_and_speeds_are_told(capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path) -> None:
    output = tmp_path / "last.png"
    told = view(capsys, clip, output)
    assert [(row["lane"], row["direction"], row["count"]) for row in told["counts"]] == [("in", "approaching", 1)]
    (speed_km_h,) = told["speeds_km_h"]
    assert speed_km_h == pytest.approx(clip.speeders_m_s[0] * 3.6, abs=1.0)
    assert told["frames"] == len(frames_of(clip.video))
    assert told["output"] == str(output)


def test_a_clip_shows_the_zone_and_the_vehicle_in_red_once_it_is_too_fast(
    capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path
) -> None:
    seen = {}
    for limit in ("50", "100"):
        view(capsys, clip, tmp_path / f"{limit}.mp4", "--limit", limit)
        seen[limit] = frames_of(tmp_path / f"{limit}.mp4")
    lasts_s = clip.end_s - clip.start_s
    assert len(seen["50"]) == pytest.approx(15 * lasts_s, abs=2)
    assert share_of(ZONE, seen["50"][0]) > share_of(ZONE, frames_of(clip.video)[0]) + 0.001
    assert most(YELLOW, seen["50"]) > 0.001
    assert most(RED, seen["50"]) > most(RED, seen["100"]) + 0.001


def test_only_so_many_seconds_are_looked_at(capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path) -> None:
    told = view(capsys, clip, tmp_path / "last.jpg", "--seconds", 1)
    assert told["frames"] == pytest.approx(25, abs=2)
    assert (tmp_path / "last.jpg").stat().st_size > 1000


def test_for_people_it_prints_lines(capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path) -> None:
    given = [clip.video, "--calibration", clip.calibration, "-o", tmp_path / "last.png"]
    assert main(["camera", "view", *map(str, given)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("1 vehicles counted")
    assert printed[1] == "  speed zones: measured 1, refused 0, let go 0, undecided 0; clock container, epochs 1"
    assert printed[2].startswith("  lane in, approaching, ")
    assert printed[3] == f"drawn to {tmp_path / 'last.png'}"


def test_who_was_not_measured_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path
) -> None:
    short = tmp_path / "short.toml"
    toml = load_calibration(clip.calibration)
    zone = toml.lanes[0].speed_zone
    low, high = min(v for _, v in zone), max(v for _, v in zone)
    short_zone = [[u, min(v, low + (high - low) / 8)] for u, v in zone]
    lines = clip.calibration.read_text().splitlines()
    short.write_text("\n".join(f"speed_zone = {short_zone}" if one.startswith("speed_zone") else one for one in lines))
    told = view(capsys, replace(clip, calibration=short), tmp_path / "last.png")
    assert (told["measured"], told["speeds_km_h"]) == (0, [])
    assert sum(told["refused"].values()) == 1
    assert told["refused"].keys() <= set(Reason)
    assert (told["clock"], told["epochs"], told["stream"]["dropped"]) == ("container", 1, 0)


ON_A_SMALL_DISK = f"""\
import resource, sys
from edge.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, ({FILE_BYTES_MAX}, {FILE_BYTES_MAX}))
sys.exit(main(["camera", "view", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("name", ["clip.mp4", "last.png"])
def test_on_a_full_disk_it_says_so(name: str, clip: Clip, tmp_path: Path) -> None:
    """The disk is as full for a process that may write no more to a file; who may mount a small one sees the same."""
    output = tmp_path / name
    given = [clip.video, "--calibration", clip.calibration, "-o", output, "--seconds", 1]
    command = [sys.executable, "-c", ON_A_SMALL_DISK, *map(str, given)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"wayside: {output}: ")
    assert len(ended.stderr.splitlines()) == 1


WRONG = {
    "a video that is not there": ({"video": "no.mp4"}, "no.mp4: is no video file"),
    "a calibration that is not there": ({"calibration": "no.toml"}, "no.toml: cannot be read"),
    "a calibration that is none": ({"calibration": "{video}"}, "road.mp4: is not"),
    "another field of view": ({"calibration": "wide.toml"}, "their sides are in another ratio"),
    "a folder that is not there": ({"output": "no/clip.mp4"}, "no/clip.mp4: cannot be written"),
    "a picture's folder that is not there": ({"output": "no/last.png"}, "no/last.png: No such file"),
    "a password in the address": ({"video": "rtsp://me:secret@127.0.0.1/"}, "holds a user or password"),
}


@pytest.mark.parametrize(("changed", "why"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_tried_is_one_sentence(
    changed: dict[str, str], why: str, capsys: pytest.CaptureFixture[str], clip: Clip, tmp_path: Path
) -> None:
    wide = clip.calibration.read_text().replace("height_px = 360", "height_px = 480")
    (tmp_path / "wide.toml").write_text(wide)
    given = {"video": str(clip.video), "calibration": str(clip.calibration), "output": "last.png"}
    for key, value in changed.items():
        given[key] = value.format(video=clip.video)
    paths = {key: one if "://" in one else str(tmp_path / one) for key, one in given.items()}
    arguments = [paths["video"], "--calibration", paths["calibration"], "-o", paths["output"], "--seconds", "1"]
    assert main(["camera", "view", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert why in line
    assert "secret" not in line
    assert not (tmp_path / "last.png").exists()


@pytest.mark.parametrize("wrong", [["-o", "clip.avi"], ["--seconds", "0"], ["--limit", "-5"], ["--limit", "fast"]])
def test_options_that_mean_nothing_are_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["camera", "view", "a.mp4", "--calibration", "a.toml", "-o", "a.png", *wrong])
    assert exit_.value.code == 2
    assert wrong[1].replace("fast", "'fast'") in capsys.readouterr().err
