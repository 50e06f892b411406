"""The forms of number plates, country by country: data for `Syntax`, and no code of any country's own.

From the countries' registration rules as Wikipedia's "Vehicle registration plates of …" summarise them (2026). What
diplomats, armies, dealers and those who choose their own have falls under the form that every syntax ends with.
"""

from __future__ import annotations

from devices.camera.plates.syntax import LETTERS, PatternError, PlatePattern, Syntax

ELSEWHERE = "*{4,8}"
ELSEWHERE_SHARE = 0.1
"""Of all plates: foreign and personal ones, which would else be bent into one of the country's own forms."""


def _without(letters: str) -> str:
    return "".join(letter for letter in LETTERS if letter not in letters)


_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "at": ((LETTERS, "A{1,2}9{1,5}A{1,3} A{3,6}9{1,4}"),),
    "be": ((LETTERS, "9AAA999 AAA999"),),
    "bg": (("ABCEHKMOPTXY", "A{1,2}9999AA"),),
    "br": ((LETTERS, "AAA9999 AAA9A99"),),
    "ch": ((LETTERS, "AA9{3,6}"),),
    "cy": ((LETTERS, "AAA999"),),
    "cz": ((_without("GOQW"), "9A99999 9AA9999"), (LETTERS, "AAA9999")),
    "de": ((LETTERS, "A{2,5}9{1,3} A{2,4}9999"),),
    "dk": ((LETTERS, "AA99999"),),
    "ee": ((LETTERS, "999AAA"),),
    "es": ((_without("AEIOUQ"), "9999AAA"), (LETTERS, "A{1,2}9999A{1,2}")),
    "fi": ((LETTERS, "AAA9{2,3}"),),
    "fr": ((_without("IOU"), "AA999AA"),),
    "gb": ((_without("IQ"), "AA99AAA A9{1,3}AAA AAA9{1,3}A"),),
    "gr": (("ABEHIKMNOPTXYZ", "AAA9999"),),
    "hr": ((LETTERS, "AA9{3,4}A{1,2}"),),
    "hu": ((LETTERS, "AAA999 AAAA999"),),
    "ie": ((LETTERS, "9{2,3}A{1,2}9{1,6}"),),
    "it": ((_without("IOQU"), "AA999AA"),),
    "lt": ((LETTERS, "AAA999"),),
    "lu": ((LETTERS, "AA9999"),),
    "lv": ((LETTERS, "AA9{2,4}"),),
    "mt": ((LETTERS, "AAA999"),),
    "nl": (("BDFGHJKLNPRSTVXZ", "AA999A A999AA AAA99A 9AAA99 99AAA9 999AA9 9AA999 99AAAA AAAA99 AA99AA"),),
    "no": ((_without("GIMOQW"), "AA99999"),),
    "pl": (
        (LETTERS, "A{2,3}99999 A{2,3}9999A A{2,3}999AA AA9A999 AA9AA99 AAAA999 AAA99A{1,2} AAA9A99 AAA99A9 AAA9AA9"),
    ),
    "pt": ((LETTERS, "99AA99 9999AA AA9999 AA99AA"),),
    "ro": ((_without("Q"), "A{1,2}99AAA A999AAA"),),
    "se": ((_without("IQV"), "AAA999 AAA99A"),),
    "si": ((LETTERS, "AA*{5}"),),
    "sk": ((LETTERS, "AA999AA"),),
    "ua": (("ABCEHIKMOPTX", "AA9999AA"),),
    # The states' current series of passenger cars and lorries, and those before them that are still about.
    "us": (
        (LETTERS, "AAA9999 AAA999 999AAA 9AAA999 AA99999 AA9A9A A99AAA AAAA99 AAA99A 99AAA9 9AA999 AA9999 A999999"),
        (LETTERS, "A99999 9A9999 99A9999 999A999 AA999A A9999A AA9A999 99AAA 9A99A9 9AAAAA AA999AA"),
    ),
}
"""A country's groups of forms, and the letters that each group uses."""
_UNIONS = {"eu": [country for country in _FORMS if country not in ("br", "gb", "ua", "us")]}
NAMES = tuple(sorted((*_FORMS, *_UNIONS)))


def country_syntax(name: str) -> Syntax:
    """The syntax of a country (ISO 3166-1 alpha-2, lower case), or of `eu`: its members, Norway and Switzerland.

    Raises PatternError for an unknown one.
    """
    if name not in NAMES:
        raise PatternError(f"no plates of {name!r} are known; known: {', '.join(NAMES)}; or write plate_patterns")
    return with_elsewhere(
        tuple(
            PlatePattern(form, letters)
            for country in _UNIONS.get(name, [name])
            for letters, forms in _FORMS[country]
            for form in forms.split()
        )
    )


def written_syntax(forms: tuple[str, ...]) -> Syntax:
    """The syntax of an operator's own patterns. Raises PatternError."""
    if not forms:
        raise PatternError("plates need a pattern; name a country, or write such as 'AA 999 AA'")
    return with_elsewhere(tuple(PlatePattern(form) for form in forms))


def with_elsewhere(patterns: tuple[PlatePattern, ...]) -> Syntax:
    """The syntax of these patterns, beside which plates from elsewhere are met."""
    own = sum(pattern.share for pattern in patterns)
    return Syntax((*patterns, PlatePattern(ELSEWHERE, share=own * ELSEWHERE_SHARE / (1 - ELSEWHERE_SHARE))))
