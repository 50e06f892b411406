"""Several pictures of one plate, and when a plate counts as read."""

from devices.camera.plates.reading import Likelihood, PlateReading, best_text
from devices.camera.plates.voting import vote

CORNERS = ((0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0))


def reading(width_px: float = 100.0, **pictures: float) -> PlateReading:
    """Texts with the logarithms of their probabilities; all fit the syntax as well."""
    candidates = {text: Likelihood(value, 0.3) for text, value in pictures.items()}
    text, confidence = best_text(candidates)
    return PlateReading(text, confidence, candidates, CORNERS, width_px)


def test_no_reading_is_no_vote() -> None:
    assert vote([]) is None


def test_pictures_that_agree_are_as_sure_as_they_are() -> None:
    one = reading(RK019AF=-0.1, RK019AP=-3.5)
    voted = vote([one, one, one])
    assert voted is not None
    assert (voted.text, voted.confidence) == (one.text, one.confidence)
    assert voted.is_published


def test_one_picture_that_fails_is_outvoted() -> None:
    good, cut = reading(RK019AF=-0.1, RK019AP=-3.0), reading(K019AF=-0.2, RK019AF=-2.0)
    voted = vote([good, cut, good])
    assert voted is not None
    assert voted.text == "RK019AF"
    assert voted.confidence < good.confidence


def test_pictures_of_two_plates_publish_none() -> None:
    voted = vote([reading(RK019AF=-0.1), reading(BA555CD=-0.1)])
    assert voted is not None
    assert not voted.is_published


def test_a_close_rival_makes_a_plate_doubtful() -> None:
    assert reading(RK019AF=-0.1, RK019AP=-4.0).is_published
    assert not reading(RK019AF=-0.1, RK019AP=-0.6).is_published


def test_a_look_alike_is_no_rival_as_the_syntax_has_decided() -> None:
    alone = reading(RK019AF=-0.1, RK019AP=-4.0)
    beside = reading(RK019AF=-0.1, RKO19AF=-0.2, RK019AP=-4.0)
    assert (beside.text, beside.confidence) == (alone.text, alone.confidence)


def test_a_text_that_plates_here_do_not_have_is_less_sure() -> None:
    own = best_text({"RK019AF": Likelihood(-0.1, 0.3), "RK019AP": Likelihood(-4, 0.3)})
    foreign = best_text({"RK019AF": Likelihood(-0.1, -0.9), "RK019AP": Likelihood(-4, -0.9)})
    assert own[1] > foreign[1]


def test_corners_are_those_of_the_widest_plate() -> None:
    wide = reading(140.0, RK019AF=-0.3)
    voted = vote([reading(RK019AF=-0.1), wide, reading(RK019AF=-0.1)])
    assert voted is not None
    assert voted.width_px == wide.width_px


def test_no_repr_shows_a_plate() -> None:
    assert "RK019AF" not in repr(reading(RK019AF=-0.1, RK019AP=-3.0))
