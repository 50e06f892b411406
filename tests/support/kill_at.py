"""Crash points: what a fault test passes as `step`, so that a process kills itself at the n-th call of one of them."""

from __future__ import annotations

import os
import signal
from collections import Counter


class KillAt:
    """SIGKILL of the own process at the n-th call with `name`; `point` is "name:n", n from 1. Empty: never."""

    def __init__(self, point: str) -> None:
        self._name, _, count = point.partition(":")
        self._count = int(count or 0)
        self._calls: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        self._calls[name] += 1
        if name == self._name and self._calls[name] == self._count:
            os.kill(os.getpid(), signal.SIGKILL)
