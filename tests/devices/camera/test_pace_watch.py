import pytest

from devices.camera.pace_watch import LOOK_US, TOO_SLOW, PaceWatch
from devices.camera.source.counters import SourceCounters

MINUTE_S = LOOK_US // 1_000_000
PACES = {
    "all are seen": (15, 0, ""),
    "a stream of few pictures": (5, 0, ""),
    "half of a fast stream": (30, 15, ""),
    "half of an ordinary one": (15, 8, TOO_SLOW),
}


def after_minutes(*paces: tuple[int, int]) -> list[str]:
    """What is said of each minute, in which so many frames a second came and so many of them were skipped."""
    watch, counters, told = PaceWatch(), SourceCounters(), []
    watch.take(counters, 0)
    for minute, (came, skipped) in enumerate(paces):
        counters.frames += came * MINUTE_S
        counters.dropped += skipped * MINUTE_S
        watch.take(counters, minute * LOOK_US + LOOK_US // 2)
        watch.take(counters, (minute + 1) * LOOK_US)
        told.append(watch.doubt)
    return told


@pytest.mark.parametrize(("came", "skipped", "told"), PACES.values(), ids=PACES.keys())
def test_a_gateway_that_sees_too_few_pictures_as_it_skips_them_is_too_slow(came: int, skipped: int, told: str) -> None:
    assert after_minutes((came, skipped)) == [told]


def test_that_it_is_over_is_said_once_it_clearly_is() -> None:
    assert after_minutes((15, 0), (15, 6), (15, 4), (15, 0)) == ["", TOO_SLOW, TOO_SLOW, ""]
