"""What a country's plates may read, as a prior over texts: the recogniser's doubts are settled by it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import product

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LENGTH_MAX = 12
STRUCTURES_MAX = 512

_ELEMENT = re.compile(r"(9|A|\*|\[[^\[\]]+\])(?:\{(\d{1,2})(?:,(\d{1,2}))?\})?")
_FORM = re.compile(rf"(?:{_ELEMENT.pattern})+")

Structure = tuple[str, ...]
"""The characters that each place of a text of one length may have."""


class PatternError(ValueError):
    """A plate's pattern cannot be used; the sentence names it and its mend."""


@dataclass(frozen=True, slots=True)
class PlatePattern:
    """A form that plates have, written place by place; spaces do not count.

    `9` is a digit, `A` a letter, `*` either, `[BCD]` one of these; `{2}` or `{1,3}` after it says how many. `letters`
    are what `A` and `*` stand for. `share` is how common the form is beside the others of its syntax.
    """

    form: str
    letters: str = LETTERS
    share: float = 1.0

    def structures(self) -> list[Structure]:
        """One for each length that each element may have. Raises PatternError."""
        form = self.form.replace(" ", "").upper()
        if not _FORM.fullmatch(form):
            raise PatternError(
                f"{self.form!r} is no pattern of plates; write such as 'AA 999 AA' or 'A{{1,3}} 9{{1,4}}'"
            )
        members = {"9": DIGITS, "A": self.letters, "*": DIGITS + self.letters}
        elements = [
            (members.get(kind, kind.strip("[]")), range(int(low or 1), int(high or low or 1) + 1))
            for kind, low, high in _ELEMENT.findall(form)
        ]
        if not 0 < math.prod(len(counts) for _, counts in elements) <= STRUCTURES_MAX:
            raise PatternError(f"{self.form!r} has counts that are empty, or too many; write it as several patterns")
        structures = [
            tuple(characters for (characters, _), count in zip(elements, counts, strict=True) for _ in range(count))
            for counts in product(*(counts for _, counts in elements))
        ]
        if not all(0 < len(structure) <= LENGTH_MAX for structure in structures):
            raise PatternError(f"{self.form!r} must stand for 1 to {LENGTH_MAX} characters; look at its counts")
        return structures


class Syntax:
    """The patterns of one country as a prior over texts, and as an automaton to decode along. Raises PatternError.

    `log_prior` is the logarithm of how much likelier a text is on a plate here than among random texts of its length
    over the same characters. That quotient, rather than the prior alone, is what a recogniser's probability is to be
    multiplied by, as it was trained without any syntax; and it favours no length.
    """

    def __init__(self, patterns: tuple[PlatePattern, ...]) -> None:
        written = [(pattern, pattern.structures()) for pattern in patterns]
        used = {
            character for _, structures in written for places in structures for place in places for character in place
        }
        self.alphabet = "".join(sorted(used))
        """Every character that a plate here may have, in the order of the recogniser's columns."""
        total = sum(pattern.share for pattern in patterns)
        gains: dict[Structure, float] = {}
        for pattern, structures in written:
            for structure in structures:
                gain = math.prod(len(self.alphabet) / len(set(place)) for place in structure)
                gains[structure] = gains.get(structure, 0.0) + gain * pattern.share / total / len(structures)
        self._gains = [math.log(gain) for gain in gains.values()]
        self.length_max = max((len(structure) for structure in gains), default=0)
        self._complete = [0] * (self.length_max + 1)
        self._allowed: list[dict[str, int]] = [{} for _ in range(self.length_max)]
        for number, structure in enumerate(gains):
            self._complete[len(structure)] |= 1 << number
            for allowed, place in zip(self._allowed, structure, strict=False):
                for character in set(place):
                    allowed[character] = allowed.get(character, 0) | 1 << number
        self.start = (1 << len(gains)) - 1
        """The state before the first character: a bit for each structure that is still possible."""

    def follow(self, state: int, length: int, character: str) -> int:
        """The state after `character` at index `length`; 0 where no plate goes on so."""
        return state & self._allowed[length].get(character, 0) if length < self.length_max else 0

    def is_complete(self, state: int, length: int) -> bool:
        """Whether a text of `length` characters that led to `state` is a whole plate."""
        return bool(state & self._complete[length])

    def log_prior(self, text: str) -> float:
        """See the class; minus infinity for a text that no pattern allows."""
        state = self.start
        for length, character in enumerate(text):
            state = self.follow(state, length, character)
        state &= self._complete[len(text)] if len(text) <= self.length_max else 0
        return max((gain for number, gain in enumerate(self._gains) if state >> number & 1), default=-math.inf)
