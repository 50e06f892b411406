"""CTC decoding against what the definition says, path by path."""

from itertools import groupby, product

import numpy as np
import numpy.typing as npt
import pytest

from devices.camera.plates.ctc import log_probability, search
from devices.camera.plates.syntax import PlatePattern, Syntax

BLANK = 0


def by_paths(probabilities: npt.NDArray[np.float64], alphabet: str) -> dict[str, float]:
    """Every text's probability: over all paths, repeats merged, blanks dropped."""
    texts: dict[str, float] = {}
    for path in product(range(probabilities.shape[1]), repeat=len(probabilities)):
        text = "".join(alphabet[label - 1] for label, _ in groupby(path) if label != BLANK)
        chance = float(np.prod([row[label] for row, label in zip(probabilities, path, strict=True)]))
        texts[text] = texts.get(text, 0.0) + chance
    return texts


def rows(seed: int, steps: int, columns: int) -> npt.NDArray[np.float64]:
    drawn = np.random.default_rng(seed).dirichlet(np.full(columns, 0.5), steps)
    return np.asarray(drawn, np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_a_texts_probability_is_the_sum_over_its_paths(seed: int) -> None:
    probabilities = rows(seed, 5, 4)
    texts = by_paths(probabilities, "AB1")
    assert sum(texts.values()) == pytest.approx(1)
    for text, chance in texts.items():
        assert np.exp(log_probability(probabilities, text, "AB1")) == pytest.approx(chance)


def test_a_text_that_needs_more_steps_than_there_are_has_no_probability() -> None:
    assert log_probability(rows(1, 3, 3), "AA1A", "1A") < -600


@pytest.mark.parametrize("seed", range(8))
def test_the_search_finds_the_likeliest_text_that_the_syntax_allows(seed: int) -> None:
    syntax = Syntax((PlatePattern("[AB]{1,2}[12]"),))
    probabilities = rows(seed, 5, 5)
    texts = by_paths(probabilities, syntax.alphabet)
    allowed = {text: chance for text, chance in texts.items() if syntax.log_prior(text) > -np.inf}
    found = search(probabilities, syntax, width=64)
    assert found[0] == max(allowed, key=allowed.__getitem__)
    assert set(found) <= set(allowed)


def test_the_same_character_twice_needs_a_blank_between() -> None:
    syntax = Syntax((PlatePattern("[A]{1,2}"),))
    apart = np.array([[0.01, 0.99], [0.99, 0.01], [0.01, 0.99]])
    together = np.array([[0.01, 0.99], [0.01, 0.99], [0.01, 0.99]])
    assert search(apart, syntax)[0] == "AA"
    assert search(together, syntax)[0] == "A"


def test_a_doubtful_character_becomes_what_may_stand_there() -> None:
    syntax = Syntax((PlatePattern("A9"),))
    letter_or_digit = {"B": 0.45, "8": 0.55}
    step = np.full(len(syntax.alphabet) + 1, 1e-6)
    for character, chance in letter_or_digit.items():
        step[syntax.alphabet.index(character) + 1] = chance
    gap = np.full(len(syntax.alphabet) + 1, 1e-6)
    gap[BLANK] = 1
    assert search(np.stack((step, gap, step)), syntax)[0] == "B8"


def test_where_nothing_fits_nothing_is_found() -> None:
    assert search(np.array([[0.0, 1.0, 0.0]]), Syntax((PlatePattern("[A][B]"),))) == []
