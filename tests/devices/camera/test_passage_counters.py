from collections import Counter

from devices.camera.passage_counters import UNMEASURED_MAX, PassageCounters, UnmeasuredWatch
from devices.camera.red_light.doubts import Doubt


def test_all_of_them_are_told_most_frequent_first() -> None:
    counters = PassageCounters(4, Counter(cut=1, gap=2), Counter(speeding_view=1), Counter({Doubt.LATE: 3}))
    assert counters.as_json() == {
        "measured": 4,
        "refused": {"gap": 2, "cut": 1},
        "let_go": {"speeding_view": 1},
        "undecided": {"late": 3},
    }
    assert list(counters.as_json()["refused"]) == ["gap", "cut"]
    told = "measured 4, refused 3 (gap 2, cut 1), let go 1 (speeding_view 1), undecided 3 (late 3)"
    assert str(counters) == told
    assert str(PassageCounters()) == "measured 0, refused 0, let go 0, undecided 0"


def test_a_camera_that_measures_nobody_any_more_is_told_once_with_the_reasons_until_somebody_is() -> None:
    counters, watch = PassageCounters(), UnmeasuredWatch()
    for reason in ["gap", *["cut"] * (UNMEASURED_MAX - 2)]:
        counters.refused[reason] += 1
        watch.take(counters)
    assert watch.doubt == ""
    counters.refused["cut"] += 1
    watch.take(counters)
    told = watch.doubt
    assert told.startswith("none of the last 20 in the speed zones was measured, mostly for: cut 19, gap 1; ")
    counters.refused["uneven"] += 1
    watch.take(counters)
    assert watch.doubt == told, "another sentence would be another event"
    counters.measured += 1
    watch.take(counters)
    assert watch.doubt == ""
    counters.refused["gap"] += UNMEASURED_MAX
    watch.take(counters)
    assert "mostly for: gap 20; " in watch.doubt, "of those since"
