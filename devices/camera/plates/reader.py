"""From a picture to the text of the plate in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.plates.ctc import log_probability, search
from devices.camera.plates.reading import UNSEEN, Likelihood, PlateReading, best_text, combined
from devices.camera.plates.rectify import Framing, rectify

if TYPE_CHECKING:
    from devices.camera.frame import Image
    from devices.camera.plates.ctc import Probabilities
    from devices.camera.plates.detector import Candidate, PlateDetector
    from devices.camera.plates.recogniser import Recogniser
    from devices.camera.plates.syntax import Syntax

SEARCHED_PX = (320, 640, 960)
"""Longer side of the picture in which a plate is looked for, in turn until something is read."""
ENLARGED_MAX = 1.5
"""A picture that is smaller than those is not enlarged further: it would show no more."""
CANDIDATES_TRIED = 2
"""At each scale: what a closer look does not find again is no plate."""
SYNTAX_WEIGHT = 0.25
"""Of the logarithm of the syntax's prior, beside the recogniser's: it is surer of itself than it is right."""
ENOUGH_CONFIDENCE = 0.6
"""From here on another look at a plate costs more than it brings."""


class _Look(NamedTuple):
    """A way to look at a plate: the scale at which its corners are found, and how it is drawn for the recogniser."""

    plate_px: float
    framing: Framing


_LOOKS = (_Look(80.0, Framing(160, 0.1, 0.0)), _Look(96.0, Framing(144, 0.2, 0.05)))


class PlateReader:
    """Reads plates of one syntax in whole pictures, or in crops of a vehicle. For one thread."""

    def __init__(self, detector: PlateDetector, recogniser: Recogniser, syntax: Syntax) -> None:
        self._detector = detector
        self._recogniser = recogniser
        self._syntax = syntax

    def read(self, image: Image) -> PlateReading | None:
        """The most plate-like plate in the picture; None where there is none, or nothing on it is a plate's text."""
        for longest_px in SEARCHED_PX:
            if longest_px > max(SEARCHED_PX[0], ENLARGED_MAX * max(image.shape[:2])):
                break
            for found in self._detector.find(image, longest_px)[:CANDIDATES_TRIED]:
                reading = self._read(image, found)
                if reading is not None:
                    return reading
        return None

    def _read(self, image: Image, found: Candidate) -> PlateReading | None:
        """One plate, looked at until it is read surely enough; None where a closer look shows none, or a cut one."""
        seen: list[Probabilities] = []
        reading: PlateReading | None = None
        for look in _LOOKS:
            closer = self._detector.look_closer(image, found, look.plate_px)
            if closer is None or not closer.is_whole(image):
                continue
            seen.append(self._recogniser.read(rectify(image, closer.corners, look.framing)))
            candidates = self._candidates(seen)
            if candidates:
                text, confidence = best_text(candidates)
                corners = tuple((float(x), float(y)) for x, y in closer.corners)
                reading = PlateReading(text, confidence, candidates, corners, closer.width_px)
                if confidence >= ENOUGH_CONFIDENCE:
                    break
        return reading

    def _candidates(self, seen: list[Probabilities]) -> dict[str, Likelihood]:
        texts = {text for one in seen for text in search(one, self._syntax)}
        terms = {text: SYNTAX_WEIGHT * self._syntax.log_prior(text) for text in texts}
        return combined([{text: self._likelihood(one, text, term) for text, term in terms.items()} for one in seen])

    def _likelihood(self, one: Probabilities, text: str, term: float) -> Likelihood:
        picture = math.exp(log_probability(one, text, self._syntax.alphabet))
        return Likelihood(math.log(picture + math.exp(UNSEEN)), term)
