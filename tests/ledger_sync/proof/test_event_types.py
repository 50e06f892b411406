from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof.card_numbers import holds_card_number
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event import encode_data, encode_evidence
from ledger_sync.proof.event_types import EVENT_TYPES, event_type
from tests.support.city_of_proofs import ABSENT, METER_READING, overridden
from tests.support.widest_violations import WIDEST_VIOLATIONS

CARD = "4111111111111111"
REGISTER = METER_READING["registers"][0]
EXAMPLES: dict[str, dict[str, Any]] = {
    "meter.reading": METER_READING,
    "fare.tap": {"direction": "in", "token": "a1b2", "zone": 3, "bio": {"result": "match", "score": Decimal("0.97")}},
    "device.health": {
        "state": "offline",
        "reason": "no telegram for 30 s",
        "errors": 1,
        "resyncs": 2,
        "bytes_dropped": 3,
    },
    "meter.status": {
        "meter_id": "E0042",
        "status": "fell",
        "obis": "1-0:1.8.0",
        "before": Decimal("12.50"),
        "after": Decimal("0.00"),
        "unit": "kWh",
    },
    "vehicle.count": {
        "lane": "1",
        "direction": "approaching",
        "interval_s": 300,
        "observed_s": 297,
        "counts": [{"class": "light", "count": 41}, {"class": "heavy", "count": 3}],
    },
    "vehicle.passage": {"lane": "1", "direction": "departing", "class": "light", "speed_mm_s": 13_900},
    "vehicle.speeding": {
        "lane": "1",
        "taken_us": 1_763_800_000_123_456,
        "speed_mm_s": 20_028,
        "uncertainty_mm_s": 420,
        "limit_mm_s": 13_889,
        "points": 38,
        "residual_mm": 61,
        "span_mm": 24_310,
        "clock": "rtsp",
        "class": "indicative",
        "calibration_sha256": bytes(32),
        "plate_sha256": bytes(32),
    },
    "vehicle.red_light": {
        "lane": "2",
        "taken_us": 1_763_800_000_123_456,
        "signal": {"journal": bytes(16), "sequence": 4711},
        "red_ms": 2140,
        "crossing_ms": 610,
        "clock_error_ms": 120,
        "clock": "hardware",
        "class": "approved",
        "calibration_sha256": bytes(32),
    },
    "signal.phase": {
        "controller": "1136",
        "group": 2,
        "state": "green",
        "start_time": "2024-04-15 12:00:00.100",
        "source": "log",
        "resolution_ms": 100,
        "kind": "vehicle",
    },
    "signal.alarm": {
        "controller": "KK+AG0503=001TC000",
        "component": "KK+AG0503=001TC000",
        "alarm": "A0001",
        "state": "active",
        "acknowledged": False,
        "values": [{"name": "detector", "value": "1"}],
    },
    "parking.state": {"bay": "P-17", "occupied": True, "cause": "change", "fcnt": 7, "temperature_mdeg_c": -2000},
    "parking.session": {
        "session": "t4-1002",
        "state": "ended",
        "token": "kdjwqpxm",
        "zone": 3,
        "duration_s": 5400,
        "amount": Decimal("4.50"),
        "currency": "EUR",
    },
    "counter.total": {"counter": "S0", "pulses": 12, "value": Decimal("0.012"), "unit": "kWh"},
    "contact.state": {"contact": "door", "active": True},
    "evidence.package": {"package": "case-17", "files": 3, "bytes": 90_000, "manifest_sha256": bytes(32)},
    "device.passport": {
        "latitude_udeg": 52_370_216,
        "longitude_udeg": 4_895_168,
        "lane": 2,
        "approval": "T10204",
        "calibration": {"date": "2026-01-10", "expires": "2028-01-10"},
        "software_sha256": bytes(32),
    },
    "gateway.tamper": {"device": "door-1", "contact": "door", "active": True},
    "gateway.start": {"software": "0.1.0", "configuration_sha256": bytes(32)},
    "gateway.stop": {"reason": "SIGTERM"},
    "gateway.heartbeat": {},
    "gateway.clock": {"step_us": -5},
    "gateway.gap": {
        "reason": "journal quarantined",
        "journal": bytes(16),
        "batch": 1,
        "sequence": None,
        "readings_lost": None,
    },
}


def luhn_digit(digits: str) -> str:
    """The check digit: doubled from the right, digits of the products added (ISO/IEC 7812-1 annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def test_every_type_has_an_example_here() -> None:
    assert EXAMPLES.keys() == EVENT_TYPES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_type_is_allowed_and_one_field_more_is_not(name: str) -> None:
    row = event_type(name)
    assert row.check(EXAMPLES[name]) == EXAMPLES[name]
    with pytest.raises(SchemaError, match="not a field"):
        row.check({**EXAMPLES[name], "extra": 1})


def test_money_is_settled_on_readings_taps_sessions_and_violations() -> None:
    settling = {name for name, row in EVENT_TYPES.items() if row.settles}
    assert settling == {"meter.reading", "fare.tap", "parking.session", "vehicle.speeding", "vehicle.red_light"}


@pytest.mark.parametrize("name", WIDEST_VIOLATIONS)
def test_the_widest_violation_has_room_for_the_digest_of_its_evidence(name: str) -> None:
    row = event_type(name)
    data = encode_data(row, WIDEST_VIOLATIONS[name])
    assert encode_evidence(row, data, (bytes(32),))


@pytest.mark.parametrize("name", ["", "meter", "meter.readings", "METER.READING", "gateway."])
def test_a_type_that_is_not_in_the_table_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="no event type"):
        event_type(name)


@pytest.mark.parametrize(
    "change",
    [
        *({field: ABSENT} for field in METER_READING),
        {"meter_id": ""},
        {"meter_id": None},
        {"integrity": "CRC"},
        {"registers": []},
        {"registers": [REGISTER] * 17},
        {"registers": [{**REGISTER, "value": 1.5}]},
        {"registers": [{**REGISTER, "value": 15}]},
        {"registers": [{**REGISTER, "scale": 1}]},
    ],
    ids=str,
)
def test_a_meter_reading_is_refused_with(change: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        event_type("meter.reading").check(overridden(METER_READING, change))


def test_a_meter_that_tells_no_time_says_so() -> None:
    assert event_type("meter.reading").check({**METER_READING, "meter_time": None})["meter_time"] is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"direction": "through"},
        {"direction": "in", "card": CARD},
        {"direction": "in", "token": "a", "card_sealed": "b"},
        {"direction": "in", "token": CARD},
        {"direction": "in", "token": "x4111-1111-1111-1111y"},
        {"direction": "in", "zone": int(CARD)},
        {"direction": "in", "product": int(CARD)},
        {"direction": "in", "result": CARD},
        {"direction": "in", "bio": {"result": "match", "score": Decimal(CARD)}},
        {"direction": "in", "bio": {"result": CARD}},
        {"direction": "in", "bio": {"score": 1}},
        {"direction": "in", "bio": {"result": "match", "score": 0.5}},
    ],
    ids=str,
)
def test_a_fare_tap_is_refused_with(data: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        event_type("fare.tap").check(data)


def test_the_refusal_of_a_card_number_does_not_repeat_it() -> None:
    with pytest.raises(SchemaError, match=r"^token: looks like a card number") as caught:
        encode_data(event_type("fare.tap"), {"direction": "in", "token": CARD})
    assert CARD not in str(caught.value)


@given(st.text("0123456789", min_size=11, max_size=18), st.text("xyz.", max_size=4), st.text("xyz.", max_size=4))
def test_a_run_of_12_to_19_digits_that_passes_luhn_is_found_whatever_surrounds_it(
    body: str, left: str, right: str
) -> None:
    number = body + luhn_digit(body)
    assert holds_card_number(f"{left}{number}{right}")
    assert holds_card_number(f"{left}{' '.join(number)}{right}")
    assert holds_card_number(f"{left}{'-'.join(number)}{right}")
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not holds_card_number(f"{left}{wrong}{right}")


@pytest.mark.parametrize("length", [1, 10, 11, 20, 21, 40])
def test_a_run_that_is_shorter_or_longer_is_none(length: int) -> None:
    body = "4" * (length - 1)
    assert not holds_card_number(body + luhn_digit(body))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("4111 1111 1111 1111", True),
        ("4111-1111-1111-1111", True),
        ("4111 1111-1111 1111", True),
        ("4111  1111 1111 1111", False),  # two spaces end the run
        ("4111 -1111 1111 1111", False),
        ("4111\t1111 1111 1111", False),
        ("4111.1111.1111.1111", False),
        ("4111_1111_1111_1111", False),
        (" 4111111111111111 ", True),
        ("-4111111111111111-", True),
        ("14111111111111111", False),  # the run is 17 digits long, and those do not pass
        ("4111111111111111 1", False),
        ("x4111111111111111y9", True),
        ("000000000000", True),  # passes, so it is refused
        ("", False),
    ],
)
def test_a_run_is_maximal_over_single_spaces_and_hyphens(value: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert holds_card_number(value) is found


def test_a_small_decimal_is_judged_as_it_is_written_and_not_in_scientific_notation() -> None:
    places = "000000041111111111"
    number = places[:-1] + luhn_digit(places[:-1])
    score = Decimal(f"0.{number}")
    assert "E" in str(score)
    with pytest.raises(SchemaError, match="card number"):
        event_type("fare.tap").check({"direction": "in", "bio": {"result": "match", "score": score}})
