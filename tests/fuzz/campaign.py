"""Fuzzes one target: mutates, judges, and goes on from inputs that took the parser on a new way."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.fuzz.judging import Found, check_growth, judge
from tests.fuzz.mutation import Mutator

if TYPE_CHECKING:
    from tests.fuzz.target import Target

POOL_MAX = 300
FINDS_MAX = 20
MINIMISING_TRIES_MAX = 1000
_SEED_CHANCE = 0.3
_COSTLY_BYTES_MIN = 64
_HUGE_BYTES_MIN = 4096


class Find(NamedTuple):
    """An input, minimised where that is quick, and what was wrong with the one that it was made of."""

    data: bytes
    sentence: str


class Campaign:
    """The same `seed` (and the same seeds of the target) makes the same inputs in the same order.

    `pool` holds the smallest input of each shape of outcome. `finds`: the first of each kind. `costliest_s`:
    the most that a byte of an input took.
    """

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self.seed = seed
        self.executions = 0
        self.finds: dict[str, Find] = {}
        self.pool: dict[tuple[Any, ...], bytes] = {}
        self._chance = random.Random(f"{target.name} {seed}")
        self._seeds = target.seeds()
        self._mutator = Mutator(self._chance, self._seeds, target.tokens)
        self.costliest_s, self._costliest = 0.0, self._seeds[0]

    def run(self, seconds: float) -> None:
        """Try inputs for so long; then repeat the costliest one, to see that time grows as length does."""
        end_s = time.monotonic() + seconds
        if not self.executions:
            for one in self._seeds:
                self._try(one)
        while time.monotonic() < end_s:
            self._try(self._next())
        try:
            check_growth(self.target, self._costliest)
        except Found as found:
            self.finds.setdefault(found.kind, Find(self._costliest, str(found)))

    def _next(self) -> bytes:
        source = self._seeds
        if self.pool and self._chance.random() > _SEED_CHANCE:
            source = list(self.pool.values())
        huge_bytes = max(_HUGE_BYTES_MIN, self.target.held_bytes_max + self.target.held_bytes_max // 2)
        return self._mutator.mutated(self._chance.choice(source), huge_bytes)

    def _try(self, data: bytes) -> None:
        self.executions += 1
        try:
            outcome = judge(self.target, data)
        except Found as found:
            if found.kind not in self.finds and len(self.finds) < FINDS_MAX:
                self.finds[found.kind] = Find(minimised(self.target, data, found.kind), str(found))
            return
        if len(data) >= _COSTLY_BYTES_MIN and outcome.cpu_s / len(data) > self.costliest_s:
            self.costliest_s, self._costliest = outcome.cpu_s / len(data), data
        known = self.pool.get(outcome.shape)
        if known is None and len(self.pool) >= POOL_MAX:
            del self.pool[self._chance.choice(list(self.pool))]
        if known is None or len(data) < len(known):
            self.pool[outcome.shape] = data


def minimised(target: Target, data: bytes, kind: str) -> bytes:
    """A shorter input of which the same is true, by leaving out ever smaller parts."""
    size, tries = len(data) // 2, MINIMISING_TRIES_MAX
    while size:
        position = 0
        while position < len(data) and tries:
            tries -= 1
            shorter = data[:position] + data[position + size :]
            if _breaks(target, shorter, kind):
                data = shorter
            else:
                position += size
        size //= 2
    return data


def _breaks(target: Target, data: bytes, kind: str) -> bool:
    try:
        judge(target, data)
    except Found as found:
        return found.kind == kind
    return False
