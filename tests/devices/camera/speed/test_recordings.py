"""Real tracks against laser gates; the figures of all recordings are the bench's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bench.brno_recordings import Recording, load_recording
from tests.bench.camera_speed import Judged, judge, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def files(corpora: Path) -> tuple[Path, Path]:
    folder = corpora / "cameras" / "speed"
    return folder / "session1_left.truth.json.gz", folder / "session1_left.tracks.json.gz"


@pytest.fixture(scope="module")
def recording(files: tuple[Path, Path]) -> Recording:
    return load_recording(*files)


@pytest.fixture(scope="module")
def judged(recording: Recording) -> Judged:
    return judge([recording])


def test_the_cars_of_a_recording_are_measured_within_the_limits_in_service(judged: Judged) -> None:
    assert judged.cars > 500
    figures = judged.figures()
    assert figures["speed_within"] >= 0.990
    assert figures["speed_coverage"] >= 0.85
    assert figures["speed_p99_kmh"] <= 3.1


def test_the_stated_uncertainty_holds_for_19_of_20(judged: Judged) -> None:
    assert judged.within_uncertainty >= 0.95 * len(judged.errors_km_h)


def test_the_command_judges_a_recording(
    files: tuple[Path, Path], tmp_path: Path, recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "plain.json"
    truth.write_text(json.dumps({**recording.truth, "cars": recording.truth["cars"][:200]}))
    assert main(["--truth", str(truth), "--tracks", str(files[1])]) == 0
    told = capsys.readouterr().out
    assert "speed_within" in told
    assert "isolated cars" in told
