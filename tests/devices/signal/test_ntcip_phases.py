from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.signal.ntcip_phases import SYS_UP_TIME, PhaseState, PhaseWatch, StatusColumn
from ledger_sync.proof.event_types import event_type

C = StatusColumn
RED, DARK = {C.REDS: 1}, {C.REDS: 0}


def group(bits: dict[StatusColumn, int], number: int = 1) -> dict[tuple[int, StatusColumn], int]:
    return {(number, column): bits.get(column, 0) for column in C}


def states(*answers: dict[tuple[int, StatusColumn], int]) -> list[list[PhaseState]]:
    watch = PhaseWatch()
    return [list(watch.changes(one)) for one in answers]


def test_the_oids_are_these_and_no_others() -> None:
    assert {column.name: column.value for column in C} == {
        "REDS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.2",
        "YELLOWS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.3",
        "GREENS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.4",
        "DONT_WALKS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.5",
        "PED_CLEARS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.6",
        "WALKS": "1.3.6.1.4.1.1206.4.2.1.1.4.1.7",
    }
    assert SYS_UP_TIME == "1.3.6.1.2.1.1.3.0"


def test_bit_0_of_group_1_is_phase_1_and_bit_7_of_group_2_phase_16() -> None:
    (told,) = states(group({C.GREENS: 0b1}) | group({C.REDS: 0b1000_0000}, 2))
    assert told == [PhaseState(1, "vehicle", "green"), PhaseState(16, "vehicle", "red")]


def test_each_column_is_a_state_of_vehicles_or_pedestrians() -> None:
    expected = {
        C.REDS: ("vehicle", "red"),
        C.YELLOWS: ("vehicle", "yellow"),
        C.GREENS: ("vehicle", "green"),
        C.DONT_WALKS: ("pedestrian", "dont_walk"),
        C.PED_CLEARS: ("pedestrian", "pedestrian_clearance"),
        C.WALKS: ("pedestrian", "walk"),
    }
    for column, (kind, state) in expected.items():
        assert states(group({column: 0b100})) == [[PhaseState(3, kind, state)]]


def test_only_what_changes_is_told() -> None:
    first = group({C.REDS: 0b01, C.GREENS: 0b10})
    assert states(first, first, group({C.REDS: 0b01, C.YELLOWS: 0b10}))[1:] == [
        [],
        [PhaseState(2, "vehicle", "yellow")],
    ]


def test_a_phase_of_which_nothing_was_ever_lit_is_not_told() -> None:
    assert states(group({}), group({})) == [[], []]


def test_a_phase_that_was_lit_and_is_not_any_more_is_dark() -> None:
    assert states(group(RED), group(DARK), group(DARK))[1:] == [[PhaseState(1, "vehicle", "dark")], []]


def test_two_colours_at_once_are_unknown_and_named() -> None:
    assert states(group({C.REDS: 1, C.GREENS: 1})) == [[PhaseState(1, "vehicle", "unknown", "reds+greens")]]


def test_without_a_column_of_reds_what_is_not_green_or_yellow_is_unknown() -> None:
    green, nothing = group({C.GREENS: 1}), group({})
    for one in (green, nothing):
        del one[1, C.REDS]
    assert states(green, nothing) == [[PhaseState(1, "vehicle", "green")], [PhaseState(1, "vehicle", "unknown")]]


answers = st.dictionaries(st.tuples(st.integers(1, 4), st.sampled_from(list(C))), st.integers(0, 255))


@given(st.lists(answers, max_size=6))
def test_any_answers_give_states_that_the_schema_knows_and_never_the_same_twice(
    several: list[dict[tuple[int, StatusColumn], int]],
) -> None:
    last: dict[tuple[int, str], PhaseState] = {}
    for told in states(*several):
        assert len({(one.phase, one.kind) for one in told}) == len(told)
        for one in told:
            assert last.get((one.phase, one.kind)) != one
            last[one.phase, one.kind] = one
            data = {
                "controller": "c",
                "group": one.phase,
                "kind": one.kind,
                "state": one.state,
                "start_time": None,
                "source": "poll",
                "resolution_ms": 100,
            }
            event_type("signal.phase").check(data if one.contradiction is None else data | {"raw": one.contradiction})
