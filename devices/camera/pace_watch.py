"""Whether the gateway keeps up with its camera: a frame that nobody took before the next one came was skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.camera.source.counters import SourceCounters

LOOK_US = 60_000_000
FRAMES_MIN_PER_S = 10
"""A car at 50 km/h is then seen every 1.4 m: eight times, which a speed needs, in 10 m of zone."""
_SKIPPED_SHARE_MAX = 0.2
_AGAIN_PER_S = 12
TOO_SLOW = (
    f"this gateway is too slow for its cameras: it sees fewer than {FRAMES_MIN_PER_S} pictures a second, too few to "
    "measure by; give it a smaller stream, or fewer cameras"
)


class PaceWatch:
    """Looks at the counters of a stream every minute."""

    def __init__(self) -> None:
        self.doubt = ""
        """That the gateway is too slow, and the mend; empty while it is not."""
        self._before: tuple[int, int, int] | None = None

    def take(self, counters: SourceCounters, now_us: int) -> None:
        """How they stand now."""
        if self._before is None:
            self._before = now_us, counters.frames, counters.dropped
        begun_us, frames, skipped = self._before
        if now_us - begun_us < LOOK_US:
            return
        came, skipped = counters.frames - frames, counters.dropped - skipped
        needed_per_s = _AGAIN_PER_S if self.doubt else FRAMES_MIN_PER_S
        is_slow = (came - skipped) * 1_000_000 < needed_per_s * (now_us - begun_us)
        self.doubt = TOO_SLOW if is_slow and skipped > _SKIPPED_SHARE_MAX * came else ""
        self._before = now_us, counters.frames, counters.dropped
