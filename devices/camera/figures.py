"""How a camera fares, in figures: what health tells of it, and `wayside camera view`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from devices.camera.passage_counters import PassageCounters

if TYPE_CHECKING:
    from devices.camera.frame import ClockClass, Frame
    from devices.camera.source.counters import SourceCounters


@dataclass(slots=True)
class Figures:
    """Since the camera began; `clock` is the class of its newest frame, `epochs` how many have begun."""

    stream: SourceCounters
    passages: PassageCounters = field(default_factory=PassageCounters)
    clock: ClockClass | None = None
    epochs: int = 0

    def take(self, frame: Frame) -> None:
        """The newest frame."""
        self.clock, self.epochs = frame.clock, frame.epoch + 1

    def as_json(self) -> dict[str, Any]:
        """As health has them."""
        clock = self.clock and self.clock.value
        return {"clock": clock, "epochs": self.epochs, "stream": asdict(self.stream), **self.passages.as_json()}
