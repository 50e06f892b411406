"""Plates' patterns: what they allow, and how much they say for a text."""

import math

import pytest

from devices.camera.plates.countries import NAMES, country_syntax, written_syntax
from devices.camera.plates.syntax import PatternError, PlatePattern, Syntax


def allows(syntax: Syntax, text: str) -> bool:
    return syntax.log_prior(text) > -math.inf


def test_nines_are_digits_letters_are_letters_and_spaces_do_not_count() -> None:
    syntax = Syntax((PlatePattern("AA 99"),))
    assert allows(syntax, "AB12")
    assert not any(allows(syntax, text) for text in ("A112", "AB1C", "AB1", "AB123", ""))


def test_counts_and_sets_of_characters_are_written_as_people_know_them() -> None:
    syntax = Syntax((PlatePattern("99[가나]{1,2}*"),))
    assert [allows(syntax, text) for text in ("12가A", "12가나3", "12나", "12다A")] == [True, True, False, False]
    assert syntax.alphabet.endswith("가나")


@pytest.mark.parametrize("form", ["", "AA-99", "A{3,1}", "A{0}", "A{13}", "[]9", "B", "A{1,12}*{1,12}9{1,12}"])
def test_a_pattern_that_is_none_is_refused_with_its_text(form: str) -> None:
    with pytest.raises(PatternError) as refused:
        Syntax((PlatePattern(form),))
    assert repr(form) in str(refused.value)


def test_a_form_says_more_for_a_text_the_fewer_other_texts_it_allows() -> None:
    syntax = Syntax((PlatePattern("AA999AA"), PlatePattern("*{7}")))
    # 26 of 36 characters at four places and 10 of 36 at three; half of all plates have that form.
    assert syntax.log_prior("RK019AF") == pytest.approx(math.log((36 / 26) ** 4 * (36 / 10) ** 3 / 2))
    assert syntax.log_prior("RKO19AF") == pytest.approx(math.log(1 / 2))


def test_a_prior_favours_no_length() -> None:
    syntax = Syntax((PlatePattern("*{4,8}"),))
    assert syntax.log_prior("ABCD") == pytest.approx(syntax.log_prior("ABCD1234"))


def test_the_automaton_allows_what_the_prior_does() -> None:
    syntax = country_syntax("sk")
    for text in ("RK019AF", "RKO19AF", "RK019A", "R9"):
        state = syntax.start
        for length, character in enumerate(text):
            state = syntax.follow(state, length, character)
        assert syntax.is_complete(state, len(text)) == allows(syntax, text), text


@pytest.mark.parametrize(
    ("country", "own", "foreign"),
    [
        ("br", "OKS0078", "0KS0078"),
        ("br", "BRA2E19", "BRAZE19"),
        ("fr", "AB123CD", "AB123CO"),
        ("de", "WOBV1", "1WOBV"),
    ],
)
def test_a_country_prefers_its_own_forms_and_still_allows_plates_from_elsewhere(
    country: str, own: str, foreign: str
) -> None:
    syntax = country_syntax(country)
    assert syntax.log_prior(own) > syntax.log_prior(foreign) + 1
    assert syntax.log_prior(foreign) > -math.inf


@pytest.mark.parametrize("country", NAMES)
def test_every_country_of_the_table_can_be_read(country: str) -> None:
    assert allows(country_syntax(country), "AB1234")


def test_an_unknown_country_is_told_which_are_known() -> None:
    with pytest.raises(PatternError, match="no plates of 'xx' are known; known: at, be,"):
        country_syntax("xx")


def test_an_operators_patterns_stand_in_place_of_a_countrys() -> None:
    syntax = written_syntax(("999 AA",))
    assert syntax.log_prior("123AB") > 0 > syntax.log_prior("AB123")
    with pytest.raises(PatternError, match="need a pattern"):
        written_syntax(())
