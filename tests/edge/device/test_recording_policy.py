from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.driver import Origin, Reading
from edge.device import recording_policy
from edge.device.config import CommonSettings
from edge.device.recording_policy import RecordingPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

NOON_S = 1_767_268_800.0  # on a quarter of an hour
TAKEN, FREE = True, False


def meter(meter_id: str = "m-1", reading_id: str | None = None, time: str | None = None, **registers: str) -> Reading:
    """A reading of registers, given as `r1_8_0="12.3"`."""
    rows = [
        {
            "obis": "1-0:" + name.removeprefix("r").replace("_", "."),
            "value": Decimal(value),
            "unit": "W" if "7" in name else "kWh",
        }
        for name, value in registers.items()
    ]
    data = {"meter_id": meter_id, "meter_time": time, "integrity": "crc", "registers": rows}
    return Reading("meter.reading", data, Origin.CHECKSUM, reading_id)


def counter(pulses: int, name: str = "s0", **more: Any) -> Reading:
    return Reading("counter.total", {"counter": name, "pulses": pulses, **more}, Origin.UNPROTECTED)


def bay(occupied: object, bay: str = "b-1", reading_id: str | None = None, **more: Any) -> Reading:
    return Reading("parking.state", {"bay": bay, "occupied": occupied, **more}, Origin.UNPROTECTED, reading_id)


def phase(state: str, group: object = 1, **more: Any) -> Reading:
    data = {
        "controller": "c-1",
        "group": group,
        "state": state,
        "start_time": None,
        "source": "poll",
        "resolution_ms": 100,
    }
    return Reading("signal.phase", data | more, Origin.UNPROTECTED)


def policy(**keys: Any) -> RecordingPolicy:
    return RecordingPolicy(CommonSettings("d-1", "scripted", **keys))


def recorded(the_policy: RecordingPolicy, readings: Iterable[Reading], step_s: float = 1.0) -> list[int]:
    """The places of those readings that are recorded, when one comes every `step_s` from noon on."""
    told = list(readings)
    kept = [index for index, one in enumerate(told) if one in take(the_policy, one, index * step_s)]
    assert the_policy.thinned == len(told) - len(kept)
    return kept


def take(the_policy: RecordingPolicy, reading: Reading, after_s: float = 0.0) -> tuple[Reading, ...]:
    return the_policy.take(reading, NOON_S + after_s, after_s)


def test_a_meter_of_1_hz_is_recorded_at_first_and_on_each_quarter_of_an_hour() -> None:
    readings = [meter(r1_8_0=f"100.{second:04}") for second in range(2000)]
    assert recorded(policy(), readings) == [0, 900, 1800]


def test_the_quarters_are_those_of_the_clock_and_not_of_the_start() -> None:
    the_policy = policy()
    at = [NOON_S + after_s for after_s in (600, 899.9, 900.1, 1799, 1801)]
    assert [bool(the_policy.take(meter(r1_8_0="1"), utc_s, utc_s)) for utc_s in at] == [True, False, True, False, True]


def test_a_step_of_the_clock_costs_one_reading_at_most() -> None:
    the_policy = policy()
    at = [NOON_S, NOON_S + 1, NOON_S - 86_400, NOON_S - 86_399, NOON_S + 86_400, NOON_S + 86_401]
    kept = [bool(the_policy.take(meter(r1_8_0="1"), utc_s, place)) for place, utc_s in enumerate(at)]
    assert kept == [True, False, True, False, True, False]


@pytest.mark.parametrize(("every_s", "kept"), [(0, [0, 1, 2, 3]), (2, [0, 2]), (900, [0])])
def test_how_often_is_a_persons_choice(every_s: float, kept: list[int]) -> None:
    assert recorded(policy(record_every_s=every_s), [meter(r1_8_0="1")] * 4) == kept


def test_readings_of_one_telegram_do_not_stand_for_each_other() -> None:
    telegram = [meter("m-1", r1_8_0="1"), meter("m-1", r2_8_0="1"), meter("gas-1", r1_8_0="1")]
    assert recorded(policy(), telegram * 2) == [0, 1, 2]


@pytest.mark.parametrize("pattern", ["16.7.0", "1-0:16.7.0", "16.7.x", "x-x:16.7.x"])
def test_a_register_that_leaves_its_deadband_is_recorded_out_of_turn(pattern: str) -> None:
    readings = [meter(r1_8_0="1", r16_7_0=value) for value in ("100", "150", "50", "151", "200", "101", "100")]
    assert recorded(policy(deadband={pattern: Decimal(50)}), readings) == [0, 3, 6], "from what was last recorded"


def test_a_deadband_is_that_of_the_registers_it_names() -> None:
    readings = [meter(r1_8_0=value, r16_7_0="1") for value in ("1", "2", "3")]
    assert recorded(policy(deadband={"16.7.0": Decimal(0)}), readings) == [0]
    assert recorded(policy(deadband={"2.8.0": Decimal(0)}), readings) == [0]


def test_a_counter_is_recorded_like_a_meter_and_its_deadband_is_under_its_name() -> None:
    assert recorded(policy(), [counter(pulses) for pulses in range(901)]) == [0, 900]
    assert recorded(policy(deadband={"s0": Decimal(10)}), [counter(pulses) for pulses in range(30)]) == [0, 11, 22]
    liters = [counter(pulses, value=Decimal(pulses) / 10, unit="l") for pulses in range(30)]
    assert recorded(policy(deadband={"s0": Decimal(1)}), liters) == [0, 11, 22], "of the value, where there is one"
    assert recorded(policy(), [counter(1, "a"), counter(1, "b"), counter(2, "a")]) == [0, 1]


STATES = [
    ([bay(value) for value in (TAKEN, TAKEN, FREE, FREE, TAKEN)], [0, 2, 4]),
    ([bay(value, "b-1", fcnt=n, battery_mv=n) for n, value in enumerate((TAKEN, TAKEN, FREE))], [0, 2]),
    ([bay(TAKEN, "b-1"), bay(TAKEN, "b-2"), bay(TAKEN, "b-1"), bay(FREE, "b-2")], [0, 1, 3]),
    ([phase("red"), phase("red", start_time="12:00"), phase("green")], [0, 2]),
    ([phase("red", 1), phase("red", 2), phase("red", 1), phase("red", "1")], [0, 1, 3]),
    ([phase("red", kind="vehicle"), phase("red", kind="overlap"), phase("red", kind="vehicle")], [0, 1]),
    (
        [
            Reading("contact.state", {"contact": "door", "active": active}, Origin.UNPROTECTED)
            for active in (False, False, True)
        ],
        [0, 2],
    ),
]


@pytest.mark.parametrize(("readings", "kept"), STATES)
def test_a_state_is_recorded_when_it_changes(readings: list[Reading], kept: list[int]) -> None:
    assert recorded(policy(), readings, step_s=1000) == kept


def test_a_state_is_told_again_as_a_sign_of_life_where_that_is_wanted() -> None:
    states = [bay(TAKEN)] * 8 + [bay(FREE)]
    assert recorded(policy(record_every_s=5), states) == [0, 5, 8]


def test_every_state_told_is_recorded_where_that_is_wanted() -> None:
    assert recorded(policy(record_every_s=0), [bay(TAKEN)] * 3) == [0, 1, 2]
    assert recorded(policy(record_on_change=False), [bay(TAKEN)] * 3) == [0, 1, 2]


ALWAYS = [
    Reading(kind, {}, Origin.UNPROTECTED)
    for kind in ("meter.status", "signal.alarm", "fare.tap", "parking.session", "evidence.package", "acme.new")
]


@pytest.mark.parametrize("reading", ALWAYS, ids=lambda one: one.type)
def test_what_happens_once_is_always_recorded(reading: Reading) -> None:
    assert recorded(policy(record_every_s=900), [reading] * 3) == [0, 1, 2]


def test_what_a_device_waits_for_is_always_recorded() -> None:
    assert recorded(policy(), [bay(TAKEN, "b-1", str(number)) for number in range(3)]) == [0, 1, 2]
    answering = RecordingPolicy(CommonSettings("d-1", "scripted"), answering=True)
    assert recorded(answering, [meter(r1_8_0="1")] * 3) == [0, 1, 2]


def test_a_register_that_falls_between_two_quarters_is_told_and_recorded_untouched() -> None:
    the_policy = policy()
    take(the_policy, meter(r1_8_0="100.50", r2_8_0="7"))
    assert take(the_policy, meter(r1_8_0="100.60", r2_8_0="7"), 1) == ()
    fallen = meter(r1_8_0="100.40", r2_8_0="0")
    first, second, itself = take(the_policy, fallen, 2)
    assert itself is fallen
    assert first == Reading(
        "meter.status",
        {
            "meter_id": "m-1",
            "status": "fell",
            "obis": "1-0:1.8.0",
            "before": Decimal("100.60"),
            "after": Decimal("100.40"),
            "unit": "kWh",
        },
        Origin.UNPROTECTED,
    )
    assert (second.data["status"], second.data["obis"]) == ("reset", "1-0:2.8.0")
    assert take(the_policy, meter(r1_8_0="100.41", r2_8_0="0"), 3) == (), "told once"


def test_a_meters_clock_that_goes_back_is_told() -> None:
    the_policy = policy()
    take(the_policy, meter(time="260101120000W", r1_8_0="1"))
    status, _ = take(the_policy, meter(time="260101110000W", r1_8_0="1"), 1)
    assert status.data == {
        "meter_id": "m-1",
        "status": "clock_jump",
        "meter_time": "260101110000W",
        "meter_time_before": "260101120000W",
    }


def test_a_reading_that_is_told_again_is_no_fall() -> None:
    the_policy = policy()
    told = [meter(reading_id=str(number), r1_8_0=str(number)) for number in range(3)]
    for reading in [*told, *told]:
        assert take(the_policy, reading) == (reading,)
    assert len(take(the_policy, meter(reading_id="3", r1_8_0="1"))) == 2


def test_a_store_and_forward_device_has_its_clock_left_alone() -> None:
    the_policy = policy()
    for hour in range(10, 20):
        assert len(take(the_policy, meter(reading_id=str(hour), time=f"2601{hour}120000W", r1_8_0="1"))) == 1


def test_what_the_schema_refuses_is_left_to_the_recorder() -> None:
    wrong = bay("yes")
    assert recorded(policy(), [bay(TAKEN), wrong, bay(TAKEN), wrong]) == [0, 1, 3]


def test_what_was_refused_after_all_stands_for_no_slot_and_no_state() -> None:
    the_policy = policy()
    for reading in (meter(r1_8_0="1"), bay(TAKEN), counter(1)):
        assert take(the_policy, reading)
        the_policy.forget(reading)
        assert take(the_policy, reading)
        assert not take(the_policy, reading)
    the_policy.forget(bay("yes"))
    the_policy.forget(Reading("fare.tap", {}, Origin.UNPROTECTED))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_policy, "KEYS_MAX", 3)
    monkeypatch.setattr(recording_policy, "IDS_MAX", 3)
    the_policy = policy()
    for number in range(10):
        assert take(the_policy, bay(TAKEN, str(number)))
        take(the_policy, meter(reading_id=str(number), r1_8_0="1"))
    assert len(the_policy._recorded) == 3
    assert len(the_policy._ids) == 3
    assert take(the_policy, bay(TAKEN, "0")), "what was forgotten is recorded once more"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.decimals(allow_nan=True)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = ["meter.reading", "counter.total", "parking.state", "contact.state", "signal.phase"]
FIELDS = {
    "meter_id": st.just("m") | anything,
    "meter_time": st.none() | st.text("0123456789SW", max_size=14) | anything,
    "integrity": st.just("crc"),
    "registers": st.lists(
        st.fixed_dictionaries(
            {"obis": st.sampled_from(["1-0:1.8.0", "0-1:24.2.1", "x"]), "value": st.decimals(), "unit": st.just("kWh")}
        ),
        max_size=3,
    )
    | anything,
}


@given(st.sampled_from(TYPES), st.lists(st.fixed_dictionaries(FIELDS) | st.dictionaries(st.text(), anything)))
def test_any_data_at_all_is_recorded_thinned_or_left_to_the_recorder(kind: str, told: list[dict[str, Any]]) -> None:
    the_policy = policy(deadband={"1.8.x": Decimal(1)})
    for number, data in enumerate(told):
        reading = Reading(kind, data, Origin.UNPROTECTED)
        taken = take(the_policy, reading, number)
        assert taken == () or taken[-1] is reading
