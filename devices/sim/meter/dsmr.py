"""A simulated DSMR 5 meter on its P1 port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .dsmr_frame import DsmrFrames
from .pushing import PushingMeter

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth


class DsmrMeter(PushingMeter):
    """Kind `meter-dsmr`; option `summer_time`: its clock follows daylight saving."""

    kind: ClassVar[str] = "meter-dsmr"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        super().__init__(
            placement, truth, DsmrFrames(placement.seed, summer_time=bool(placement.options.get("summer_time")))
        )

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {"driver": "dsmr", "port": self.port}
