"""No driver is accused who did not run the red light, whatever is late, wrong within its bounds, set or lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.camera.frame import Frame
from devices.camera.red_light.judge import RedLightJudge, RedLightRules
from devices.driver import CommittedEvent
from tests.devices.camera.red_light.junction import CALIBRATION
from tests.devices.camera.red_light.true_junction import DELAY_S, GRACE_S, TrueJunction

RULES = RedLightRules("2", grace_ms=round(GRACE_S * 1000), delay_ms=round(DELAY_S * 1000))
SEEDS = st.integers(0, 2**32)


def accused(junction: TrueJunction) -> set[int]:
    judge = RedLightJudge(RULES, CALIBRATION)
    found: set[int] = set()
    for _, told in junction.as_told():
        if isinstance(told, CommittedEvent):
            judge.signal(told)
        elif isinstance(told, Frame):
            found |= {one.passage.track.number for one in judge.decide(told)}
        else:
            judge.crossed(told)
    return found


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_in_peace_nobody_innocent_is_accused_and_everybody_who_surely_ran_it_is(seed: int) -> None:
    junction = TrueJunction(seed, disturbed=False)
    found = accused(junction)
    for one in junction.vehicles:
        assert one.number not in found or junction.has_run(one), one
        assert one.number in found or not junction.is_surely_decidable(one), one


@settings(max_examples=120, deadline=None)
@given(SEEDS)
def test_clocks_that_are_set_and_controllers_that_are_lost_make_nobody_guilty(seed: int) -> None:
    junction = TrueJunction(seed, disturbed=True)
    found = accused(junction)
    for one in junction.vehicles:
        assert one.number not in found or junction.has_run(one), one
        assert one.number in found or not junction.is_surely_decidable(one), one
