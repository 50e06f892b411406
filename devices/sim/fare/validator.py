"""A simulated fare validator on a pseudo-terminal, speaking one JSON object a line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from devices.sim.line_terminal import LineTerminal

from .tapping import FareValidator

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth


class Validator(LineTerminal):
    """Kind `fare-validator`: a passenger taps every interval; a tap is sent again until it is answered."""

    kind: ClassVar[str] = "fare-validator"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        super().__init__(placement, truth, FareValidator(placement.seed, run=f"{time.time_ns():x}"))
