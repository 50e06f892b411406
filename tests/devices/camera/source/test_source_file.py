from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from devices.camera.frame import ClockClass, Frame
from devices.camera.source.clocks import Clocks
from devices.camera.source.errors import SourceEndedError, SourceError
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
from devices.sim.camera.serve_card import TestCard, taken_us_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FPS = 10
PICTURES = 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Test cards, ten a second."""
    path, card = tmp_path / "clip.mp4", TestCard(320, 180)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (card.width_px, card.height_px))
    for number in range(PICTURES):
        writer.write(card.render(number / FPS))
    writer.release()
    return path


def played(source: Source) -> Iterator[Frame]:
    """All frames, up to the end, which must be told."""
    source.start()
    try:
        while (frame := source.newest(5)) is not None:
            yield frame
    except SourceEndedError:
        return
    else:
        pytest.fail("no frame came, and no end")
    finally:
        source.close()


def source_of(clip: Path, *clocks: Any, **settings: Any) -> Source:
    return Source(SourceSettings(str(clip), **settings), *clocks)


def test_a_file_is_played_in_real_time_to_its_end(clip: Path) -> None:
    frames = list(played(source_of(clip)))
    assert [taken_us_of(frame.image) for frame in frames] == [number * 100_000 for number in range(PICTURES)]
    assert [frame.presentation_us for frame in frames] == [number * 100_000 for number in range(PICTURES)]
    assert {(frame.clock, frame.epoch) for frame in frames} == {(ClockClass.CONTAINER, 0)}
    late_us = [frame.arrival_us - frames[0].arrival_us - frame.presentation_us for frame in frames]
    assert min(late_us) >= -1000
    assert all(abs(frame.utc_us - time.time() * 1_000_000) < 5_000_000 for frame in frames)


def test_without_real_time_no_frame_is_left_out_however_slow_one_looks(clip: Path) -> None:
    began_s = time.monotonic()
    source = source_of(clip, in_real_time=False)
    frames = []
    for frame in played(source):
        time.sleep(0.002)  # one who looks slowly is what this is about
        frames.append(frame)
    assert len(frames) == PICTURES
    assert source.counters.dropped == 0
    assert time.monotonic() - began_s < PICTURES / FPS


def test_without_real_time_a_file_gives_the_same_frames_and_times_each_time(clip: Path) -> None:
    def fixed() -> Clocks:
        return Clocks(7_000_000, 1_800_000_000_000_000)

    first, second = ([frame[1:] for frame in played(source_of(clip, fixed, in_real_time=False))] for _ in range(2))
    assert first == second
    assert first[-1] == (1_100_000, 8_100_000, 1_800_000_001_100_000, 0, 0, ClockClass.CONTAINER)


def test_the_last_frames_are_kept_within_their_number_and_bytes(clip: Path) -> None:
    picture_bytes = 320 * 180 * 3

    def kept(**settings: int) -> list[int]:
        source = source_of(clip, in_real_time=False, **settings)
        assert len(list(played(source))) == PICTURES
        return [frame.presentation_us // 100_000 for frame in source.recent()]

    assert kept() == []
    assert kept(recent_frames_max=3) == [9, 10, 11]
    assert kept(recent_frames_max=100, recent_bytes_max=2 * picture_bytes) == [10, 11]


@pytest.mark.parametrize("content", [None, b"", b"no video"], ids=["missing", "empty", "no video"])
def test_what_is_no_video_file_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    source = source_of(path)
    source.start()
    with pytest.raises(SourceError, match=r"clip\.mp4: is no video file"):
        source.newest(5)
    source.close()


def test_a_closed_source_gives_nothing_and_makes_nobody_wait(clip: Path) -> None:
    source = source_of(clip)
    source.start()
    assert source.newest(5) is not None
    source.close()
    source.close()
    began_s = time.monotonic()
    while source.newest(5) is not None:
        pass
    assert time.monotonic() - began_s < 1


def test_a_thread_that_hangs_in_a_library_is_found_out(clip: Path) -> None:
    source = source_of(clip)
    source.start()
    while source.newest(0.01) is not None:
        pass
    source._thread._alive_s -= 60
    with pytest.raises(SourceError, match="start the camera's process anew"):
        source.newest(0)
    source.close()


def test_a_video_of_larger_pictures_than_a_camera_takes_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (6000, 4000))
    video.write(np.zeros((4000, 6000, 3), np.uint8))
    video.release()
    source = Source(SourceSettings(str(path)))
    source.start()
    with pytest.raises(SourceError, match="its pictures are 6000x4000; let the camera send"):
        source.newest(20)
    source.close()
