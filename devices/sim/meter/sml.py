"""A simulated SML meter under an optical head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .pushing import PushingMeter
from .sml_frame import SmlFrames

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth


class SmlMeter(PushingMeter):
    """Kind `meter-sml`."""

    kind: ClassVar[str] = "meter-sml"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        super().__init__(placement, truth, SmlFrames(placement.seed))

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {"driver": "sml", "port": self.port}
