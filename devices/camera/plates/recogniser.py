"""Reading a line of characters: probabilities a step, over the characters that plates here may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.plates.reading import LOOK_ALIKES
from devices.camera.plates.rectify import LINE_HEIGHT_PX

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.plates.ctc import Probabilities

_SEPARATORS = " -.·:•'"
"""Drawn on plates between groups, and no part of their text: to the decoder as good as a blank."""
_LOOK_ALIKE_SHARE = 0.5
"""Of the one's probability that the other has at least: which of them it is, the syntax knows better."""
_FLOOR = 1e-6
"""Of every character at every step: no network is surer than that."""


class CharactersError(ValueError):
    """A recogniser's characters are not those of its network, or lack some that plates here have; says which."""


class Recogniser:
    """A network trained with CTC on lines 48 pixels high, as PaddleOCR's recognisers are, and its characters.

    `characters` are those of the network's classes from 1 on (class 0 is the blank); one further class is the space.
    Whatever is not in `alphabet`, such as the thousands of Chinese characters of PP-OCR, is masked. A small letter
    counts as its capital. Raises CharactersError. For one thread.
    """

    def __init__(self, network: cv2.dnn.Net, characters: tuple[str, ...], alphabet: str) -> None:
        missing = sorted(set(alphabet) - set(characters))
        if missing:
            raise CharactersError(
                f"lack {' '.join(missing)}, which plates have by the patterns; take another recogniser"
            )
        self._network = network
        classes = self._classes(np.zeros((LINE_HEIGHT_PX, 160, 3), np.uint8)).shape[1]
        if classes not in (len(characters) + 1, len(characters) + 2):
            raise CharactersError(
                f"are {len(characters)}, but the network has {classes} classes; take the file it was trained with"
            )
        column = {character: index for index, character in enumerate(alphabet, start=1)}
        taken, put = [0], [0]
        for index, character in enumerate((*characters, " ")[: classes - 1], start=1):
            if character in column or character in _SEPARATORS:
                taken.append(index)
                put.append(column.get(character, 0))
            elif character.upper() in column:
                taken.append(index)
                put.append(column[character.upper()])
        self._taken = np.array(taken)
        # Summing the classes of a column by a product costs less than an indexed sum.
        self._sums = np.zeros((len(taken), len(alphabet) + 1))
        self._sums[np.arange(len(taken)), put] = 1.0
        self._pairs = [[column[one], column[other]] for one, other in LOOK_ALIKES if one in column and other in column]

    def read(self, line: Image) -> Probabilities:
        """Probabilities (steps, 1 + alphabet) of a line of 48 x width; a step is 8 pixels for PP-OCR.

        Look-alikes share theirs, so that a row may sum to more than 1.
        """
        masked = self._classes(line)[:, self._taken].astype(np.float64) @ self._sums + _FLOOR
        masked /= masked.sum(axis=1, keepdims=True)
        for pair in self._pairs:
            masked[:, pair] = np.maximum(masked[:, pair], _LOOK_ALIKE_SHARE * masked[:, pair[::-1]])
        return np.asarray(masked)

    def _classes(self, line: Image) -> npt.NDArray[np.float32]:
        self._network.setInput(cv2.dnn.blobFromImage(line, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
        return np.asarray(self._network.forward()[0])
