import numpy as np

from devices.camera.frame_shelf import FrameShelf
from tests.devices.camera.making import EPOCH, SECOND_US, UTC_US, frame

NOISE = np.random.default_rng(1).integers(0, 255, (36, 64, 3), np.uint8)


def at(at_s: float) -> int:
    return UTC_US + round(at_s * SECOND_US)


def test_pictures_are_found_by_the_time_they_were_taken_at() -> None:
    shelf = FrameShelf()
    for second in range(5):
        shelf.put(frame(second))
    assert [one.utc_us for one in shelf.nearest(EPOCH, [at(0.3), at(3.7)])] == [at(0), at(4)]
    assert [one.utc_us for one in shelf.between(EPOCH, at(1), at(3))] == [at(1), at(2), at(3)]


def test_a_picture_is_what_the_frame_was() -> None:
    shelf = FrameShelf()
    plain = np.full((36, 64, 3), (10, 100, 200), np.uint8)
    shelf.put(frame(0, image=plain))
    shown = shelf.nearest(EPOCH, [at(0)])[0].image()
    assert shown.shape == plain.shape
    assert np.abs(shown.astype(int) - plain).max() <= 3


def test_frames_that_come_faster_than_plates_need_are_left_out() -> None:
    shelf = FrameShelf()
    for index in range(25):
        shelf.put(frame(index / 25))
    assert len(shelf.between(EPOCH, at(0), at(1))) == 9


def test_what_is_older_than_twenty_seconds_is_gone() -> None:
    shelf = FrameShelf()
    for second in range(30):
        shelf.put(frame(second))
    assert shelf.between(EPOCH, at(0), at(30))[0].utc_us == at(9)


def test_memory_is_bounded() -> None:
    shelf = FrameShelf(bytes_max=20_000)
    for second in range(20):
        shelf.put(frame(second, image=NOISE))
    stills = shelf.between(EPOCH, at(0), at(20))
    assert stills[-1].utc_us == at(19)
    assert 1 < len(stills) < 19
    assert sum(len(one.jpeg) for one in stills) <= 20_000


def test_a_picture_of_another_moment_stands_for_none() -> None:
    shelf = FrameShelf()
    for second in range(5):
        shelf.put(frame(second))
    assert shelf.nearest(EPOCH, [at(1), at(2.5)]) == ()
    assert shelf.nearest(EPOCH, [at(4.4)]) == ()


def test_an_empty_shelf_has_no_nearest_picture() -> None:
    assert FrameShelf().nearest(EPOCH, [at(0)]) == ()


def test_utc_that_is_set_back_does_not_stop_the_pictures() -> None:
    shelf = FrameShelf()
    shelf.put(frame(0))
    shelf.put(frame(1, step_s=-3600))
    assert len(shelf.between(EPOCH, at(-4000), at(1))) == 2


def test_the_pictures_of_an_epoch_are_found_together() -> None:
    shelf = FrameShelf()
    for index in range(20):
        shelf.put(frame(index / 15, epoch=EPOCH + index // 10))
    before, after = (shelf.between(epoch, at(0), at(2)) for epoch in (EPOCH, EPOCH + 1))
    assert before[-1].utc_us < after[0].utc_us == at(10 / 15), "the first of an epoch is kept however soon it comes"
    assert shelf.nearest(EPOCH + 1, [at(9 / 15)]) == after[:1]
