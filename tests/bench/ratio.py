"""Ratios that a noisy machine cannot spoil: both sides in turn in one run, CPU time, the median of the pairs."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads, that `work` takes."""
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def paired_ratio(ours: Callable[[], object], baseline: Callable[[], object], rounds: int = 7) -> float:
    """How much of the baseline's speed is ours: median over rounds of (baseline's time / our time)."""
    ours()
    baseline()
    pairs = [(cpu_seconds(ours), cpu_seconds(baseline)) for _ in range(rounds)]
    return statistics.median(base / own for own, base in pairs)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
