"""Streaks of rain, which are in one image only, are nothing; what moves or comes to stay is."""

from __future__ import annotations

import numpy as np

from devices.camera.vehicles.steady import Steady

FRAME_US = 66_667


def mask(*columns: int, side: int = 6) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Squares from these columns on."""
    made = np.zeros((40, 200), np.uint8)
    for column in columns:
        made[10 : 10 + side, column : column + side] = 255
    return made


def test_what_is_small_and_in_one_image_only_is_nothing() -> None:
    steady = Steady()
    steady.taken(mask(20), 0)
    assert np.array_equal(steady.taken(mask(24, 100), FRAME_US), mask(24))
    assert np.array_equal(steady.taken(mask(28, 150), 2 * FRAME_US), mask(28))


def test_what_comes_to_stay_is_there_from_its_second_image_on() -> None:
    steady = Steady()
    steady.taken(mask(), 0)
    assert not steady.taken(mask(50), FRAME_US).any()
    assert np.array_equal(steady.taken(mask(52), 2 * FRAME_US), mask(52))


def test_at_few_frames_a_second_all_is_taken_as_it_is() -> None:
    steady = Steady()
    steady.taken(mask(20), 0)
    assert np.array_equal(steady.taken(mask(100), 200_000), mask(100))


def test_an_epoch_begins_without_a_mask_before_it() -> None:
    steady = Steady()
    steady.taken(mask(20), 1_000_000)
    steady.begin_epoch()
    assert np.array_equal(steady.taken(mask(100), 0), mask(100))


def test_what_is_larger_than_a_streak_is_there_at_once() -> None:
    steady = Steady()
    steady.taken(mask(), 0)
    assert np.array_equal(steady.taken(mask(50, side=12), FRAME_US), mask(50, side=12))


def test_what_was_missed_in_one_image_is_still_there() -> None:
    steady = Steady()
    steady.taken(mask(50), 0)
    steady.taken(mask(), FRAME_US)
    assert np.array_equal(steady.taken(mask(52), 2 * FRAME_US), mask(52))
