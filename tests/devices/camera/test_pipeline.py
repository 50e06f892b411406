"""What becomes of a car that speeds, from its frames on, as long as the camera goes on to be trusted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.camera.passage_counters import PassageCounters
from devices.camera.pipeline import PROVEN_AFTER_US, Pipeline, PipelineRules
from devices.camera.rules import pipeline_rules
from devices.camera.settings import CameraSettings
from devices.camera.speed.measurement import Refusal
from tests.devices.camera.making import SECOND_US, frame
from tests.support.clips import Clip, one_speeding_car

if TYPE_CHECKING:
    from devices.camera.frame import Frame, Image
    from devices.camera.pipeline import Outcome

FRAME_S = 1 / 25
AFTER_S = 5.0
LIMIT_MM_S = 13_889


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return one_speeding_car(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def images(clip: Clip) -> list[Image]:
    """The clip's, and then the empty road for five seconds."""
    video = cv2.VideoCapture(str(clip.video))
    found = []
    while (read := video.read())[0]:
        found.append(np.asarray(read[1], np.uint8))
    return [*found, *[found[-1]] * round(AFTER_S / FRAME_S)]


def pipeline_of(clip: Clip, rules: PipelineRules) -> Pipeline:
    """Whose view is confirmed."""
    pipeline = Pipeline(load_calibration(clip.calibration), rules)
    pipeline.is_view_confirmed = True
    return pipeline


def played(
    pipeline: Pipeline, images: list[Image], *, breaks_at_s: float | None = None, every: int = 1
) -> list[Outcome]:
    """What each frame gives, or `every` second or third; a new epoch begins at `breaks_at_s`."""
    given: list[Frame] = []
    for index, image in list(enumerate(images))[::every]:
        at_s = index * FRAME_S
        given.append(frame(at_s, image=image, epoch=1 if breaks_at_s is None or at_s < breaks_at_s else 2))
    return [*(pipeline.take(one) for one in given), pipeline.finish()]


def test_who_speeds_is_told_once_the_cameras_clock_has_run_true_for_four_seconds_more(
    clip: Clip, images: list[Image]
) -> None:
    outcomes = played(pipeline_of(clip, PipelineRules(60, limit_mm_s=LIMIT_MM_S)), images)
    ((left, _),) = [(index, one.measured) for index, one in enumerate(outcomes) if one.measured]
    ((told, (violation,)),) = [(index, one.violations) for index, one in enumerate(outcomes) if one.violations]
    assert (told - left) * FRAME_S * SECOND_US == pytest.approx(PROVEN_AFTER_US, abs=FRAME_S * SECOND_US)
    assert all(one.suspects for one in outcomes[left + 1 : told]), "its pictures are needed until then"
    first_us, last_us = violation.suspect.moments_us
    assert last_us - first_us == pytest.approx(violation.data["span_mm"] / violation.data["speed_mm_s"] * 1e6, rel=0.2)


def test_whose_camera_breaks_off_before_is_not_told(clip: Clip, images: list[Image]) -> None:
    rules = PipelineRules(60, records_passages=True, limit_mm_s=LIMIT_MM_S)
    pipeline = pipeline_of(clip, rules)
    outcomes = played(pipeline, images, breaks_at_s=clip.end_s - clip.start_s)
    assert any(one.measured for one in outcomes)
    assert not any(one.violations for one in outcomes)
    assert pipeline.counters.measured == 1
    assert pipeline.counters.let_go == {"passage_new_epoch": 1, "speeding_new_epoch": 1}


def test_whose_camera_is_moved_before_is_not_told(clip: Clip, images: list[Image]) -> None:
    rules = PipelineRules(60, records_passages=True, limit_mm_s=LIMIT_MM_S)
    pipeline = pipeline_of(clip, rules)
    outcomes = []
    for index, image in enumerate(images):
        pipeline.is_view_confirmed = index * FRAME_S < clip.end_s - clip.start_s
        outcomes.append(pipeline.take(frame(index * FRAME_S, image=image)))
    outcomes.append(pipeline.finish())
    assert any(one.measured for one in outcomes)
    assert not any(one.violations or one.suspects for one in outcomes[-round(AFTER_S / FRAME_S) :])
    assert {told.type for one in outcomes for told in one.told} == {"vehicle.count"}
    assert pipeline.counters.let_go == {"passage_view": 1, "speeding_view": 1}


def test_who_passes_while_the_view_is_in_doubt_is_counted_as_let_go(clip: Clip, images: list[Image]) -> None:
    pipeline = pipeline_of(clip, PipelineRules(60, limit_mm_s=LIMIT_MM_S))
    pipeline.is_view_confirmed = False
    played(pipeline, images)
    assert pipeline.counters == PassageCounters(let_go=Counter(unmeasured_view=1))


def test_each_refusal_is_counted_by_its_reason(clip: Clip, images: list[Image]) -> None:
    pipeline = pipeline_of(clip, PipelineRules(60))
    outcomes = played(pipeline, images, every=5)
    refused = [found for one in outcomes for found in one.measured.values()]
    assert refused
    assert all(isinstance(one, Refusal) for one in refused)
    assert pipeline.counters.refused == Counter(one.reason.value for one in refused if isinstance(one, Refusal))
    assert pipeline.counters.measured == 0


def test_a_file_that_ends_before_tells_at_its_end(clip: Clip, images: list[Image]) -> None:
    pipeline = pipeline_of(clip, PipelineRules(60, limit_mm_s=LIMIT_MM_S))
    outcomes = played(pipeline, images[: -round(AFTER_S / FRAME_S)])
    assert [len(one.violations) for one in outcomes[-2:]] == [0, 1]


def test_who_keeps_the_limit_and_its_tolerance_is_nobodys_suspect(clip: Clip, images: list[Image]) -> None:
    pipeline = pipeline_of(clip, PipelineRules(60, limit_mm_s=LIMIT_MM_S, tolerance_mm_s=8_000))
    outcomes = played(pipeline, images)
    assert any(one.measured for one in outcomes)
    assert not any(one.violations or one.suspects for one in outcomes)


@pytest.mark.parametrize(("km_h", "mm_s"), [(50, 13_889), (18, 5_000), (36, 10_000), (130, 36_112)])
def test_a_limit_is_rounded_in_the_drivers_favour(clip: Clip, km_h: int, mm_s: int) -> None:
    settings = CameraSettings(port="a.mp4", calibration=clip.calibration, speed_limit_km_h=km_h)
    assert pipeline_rules(settings, 0).limit_mm_s == mm_s
