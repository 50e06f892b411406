"""Which of the things seen is which of the vehicles expected: assignment at least cost.

R. Jonker, A. Volgenant, A shortest augmenting path algorithm for dense and sparse linear assignment problems,
Computing 38 (1987), by the package lap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lap
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def assigned(costs: npt.NDArray[np.float64], cost_max: float) -> list[tuple[int, int]]:
    """Pairs of row and column of `costs` (n, m), each at most once, none dearer than `cost_max`.

    A cost that is no number counts as too dear.
    """
    if costs.size == 0:
        return []
    # lapjv does not end on a matrix with NaN, and loses its precision on huge costs.
    bounded = np.where(costs <= cost_max, costs, 2.0 * cost_max + 1.0)
    _, columns, _ = lap.lapjv(bounded, extend_cost=True, cost_limit=cost_max)
    pairs = [(row, int(column)) for row, column in enumerate(columns) if column >= 0]
    return [(row, column) for row, column in pairs if costs[row, column] <= cost_max]
