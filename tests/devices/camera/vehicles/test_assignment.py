"""Who is who from frame to frame."""

from __future__ import annotations

import numpy as np

from devices.camera.vehicles.assignment import assigned


def test_the_sum_of_costs_is_least_and_not_each_cost_by_itself() -> None:
    costs = np.array([[1.0, 2.0], [1.5, 9.0]])
    assert sorted(assigned(costs, 16.0)) == [(0, 1), (1, 0)]


def test_what_is_too_dear_stays_alone() -> None:
    assert assigned(np.array([[20.0, 3.0], [17.0, 18.0]]), 16.0) == [(0, 1)]


def test_there_may_be_more_of_one_than_of_the_other_or_none() -> None:
    assert assigned(np.array([[5.0, 1.0, 7.0]]), 16.0) == [(0, 1)]
    assert assigned(np.zeros((0, 3)), 16.0) == []


def test_a_cost_that_is_no_number_is_too_dear() -> None:
    assert assigned(np.array([[np.nan, 1.0], [2.0, np.inf]]), 16.0) == [(0, 1), (1, 0)]
