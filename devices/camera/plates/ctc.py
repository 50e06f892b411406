"""Decoding of a recogniser that was trained with connectionist temporal classification (CTC).

A. Graves et al., Connectionist Temporal Classification, ICML 2006: a row of probabilities a step, over the blank and
the characters; a text's probability is the sum over all paths that give it once repeats are merged and blanks dropped.
The search keeps prefixes, as A. Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition, 2014 do.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.plates.syntax import Syntax

    Probabilities = npt.NDArray[np.float64]
    """Steps x (1 + characters of the syntax's alphabet); column 0 is the blank."""

BEAM_WIDTH = 8
_NEGLIGIBLE = 1e-3
"""A character less probable than this at a step extends no prefix there; `log_probability` counts it all the same."""
_TINY = 1e-300


class _Prefix(NamedTuple):
    """Probability of all paths to a prefix: those that end in a blank, and those that end in its last character."""

    blank: float
    character: float
    state: int


def search(probabilities: Probabilities, syntax: Syntax, width: int = BEAM_WIDTH) -> list[str]:
    """The likeliest texts that the syntax allows, without regard to its prior; at most `width`, likeliest first."""
    column = {character: number for number, character in enumerate(syntax.alphabet, start=1)}
    beam = {"": _Prefix(1.0, 0.0, syntax.start)}
    for row in probabilities.tolist():
        likely = [pair for pair in zip(syntax.alphabet, row[1:], strict=True) if pair[1] > _NEGLIGIBLE]
        grown: dict[str, _Prefix] = {}
        for text, (blank, character, state) in beam.items():
            last = text[-1:]
            old = grown.get(text, _Prefix(0.0, 0.0, state))
            repeated = character * row[column[last]] if last else 0.0
            grown[text] = _Prefix(old.blank + (blank + character) * row[0], old.character + repeated, state)
            for new, probability in likely:
                # The same character again is another one only after a blank.
                reach = blank * probability if new == last else (blank + character) * probability
                after = syntax.follow(state, len(text), new) if reach else 0
                if after:
                    old = grown.get(text + new, _Prefix(0.0, 0.0, after))
                    grown[text + new] = _Prefix(old.blank, old.character + reach, after)
        kept = heapq.nlargest(width, grown.items(), key=lambda item: item[1].blank + item[1].character)
        beam = dict(kept)
    return [text for text, prefix in beam.items() if syntax.is_complete(prefix.state, len(text))]


def log_probability(probabilities: Probabilities, text: str, alphabet: str) -> float:
    """The logarithm of the probability of exactly `text`, over all its paths (forward algorithm of the paper)."""
    labels = np.zeros(2 * len(text) + 1, np.intp)
    labels[1::2] = [alphabet.index(character) + 1 for character in text]
    may_skip = np.zeros(len(labels))
    may_skip[2:] = (labels[2:] != 0) & (labels[2:] != labels[:-2])
    emitted = probabilities[:, labels]
    reached = np.zeros(len(labels))
    reached[:2] = emitted[0, :2]
    for row in emitted[1:]:
        before = reached.copy()
        before[1:] += reached[:-1]
        before[2:] += reached[:-2] * may_skip[2:]
        reached = before * row
    return float(np.log(reached[-2:].sum() + _TINY))
