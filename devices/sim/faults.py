"""What goes wrong on a wire, seeded so that a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass

NOISE_BYTES_MAX = 300


@dataclass(frozen=True)
class FaultRates:
    """Chances from 0 to 1, a frame: noise before it, one bit flipped, cut off in it, unplugged after it.

    An unplugged device is one whose plug is pulled and put back under another name, or whose connection is cut.
    `slow_s`: how many seconds an answer is late at most.
    """

    noise: float = 0.0
    flip: float = 0.0
    truncate: float = 0.0
    unplug: float = 0.0
    slow_s: float = 0.0


class Faults:
    """Damages frames at the given rates."""

    def __init__(self, rates: FaultRates, seed: int) -> None:
        self._rates = rates
        self._random = random.Random(seed)

    def apply(self, frame: bytes) -> tuple[bytes, bool]:
        """The bytes that reach the wire, and whether the frame is whole in them."""
        whole = True
        if self._happens(self._rates.flip):
            bit = self._random.randrange(8 * len(frame))
            damaged = bytearray(frame)
            damaged[bit // 8] ^= 1 << bit % 8
            frame, whole = bytes(damaged), False
        if self._happens(self._rates.truncate):
            frame, whole = frame[: self._random.randrange(len(frame))], False
        if self._happens(self._rates.noise):
            frame = self._random.randbytes(self._random.randint(1, NOISE_BYTES_MAX)) + frame
        return frame, whole

    def unplugs(self) -> bool:
        """Whether the plug is pulled now."""
        return self._happens(self._rates.unplug)

    def late_s(self) -> float:
        """How many seconds this answer is late."""
        return self._random.uniform(0, self._rates.slow_s) if self._rates.slow_s else 0.0

    def _happens(self, rate: float) -> bool:
        return self._random.random() < rate
