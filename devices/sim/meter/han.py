"""A simulated electricity meter on its HAN port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .han_frame import HanFrames
from .pushing import PushingMeter

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth


class HanMeter(PushingMeter):
    """Kind `meter-han`. Options: `maker` (aidon, kaifa, kamstrup), `list_3_every` (4): frames from one list 3 on."""

    kind: ClassVar[str] = "meter-han"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        options = placement.options
        frames = HanFrames(placement.seed, options.get("maker", "aidon"), options.get("list_3_every", 4))
        super().__init__(placement, truth, frames)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {"driver": "han", "port": self.port}
