from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.parking.sensor_payload import BOSCH_PARKING, PayloadField, check_table, decode
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings


@pytest.mark.parametrize(
    ("fport", "payload", "fields"),
    [
        (1, "0115", {"occupied": True, "cause": "change", "temperature_mdeg_c": 21_000}),
        (1, "00f6", {"occupied": False, "cause": "change", "temperature_mdeg_c": -10_000}),
        (1, "01", {"occupied": True, "cause": "change"}),
        (1, "02", {"occupied": False, "cause": "change"}),
        (2, "0100", {"occupied": True, "cause": "heartbeat", "temperature_mdeg_c": 0}),
        (3, "00" * 16 + "01", {"occupied": True, "cause": "startup"}),
        (3, "ff" * 16 + "fe", {"occupied": False, "cause": "startup"}),
        (4, "010203", None),
        (0, "", None),
    ],
)
def test_a_bosch_sensor(fport: int, payload: str, fields: dict[str, Any] | None) -> None:
    assert decode(BOSCH_PARKING, fport, bytes.fromhex(payload)) == fields


@pytest.mark.parametrize(("fport", "size"), [(1, 0), (2, 0), (3, 16)])
def test_a_payload_too_short_to_tell_is_refused(fport: int, size: int) -> None:
    with pytest.raises(ValueError, match="too short"):
        decode(BOSCH_PARKING, fport, bytes(size))


def test_a_further_sensor_is_a_table() -> None:
    table = (
        PayloadField(fport=10, field="occupied", offset=0, mask=0x80),
        PayloadField(fport=10, field="battery_mv", offset=1, length=2, byte_order="little", scale=10),
        PayloadField(fport=10, field="battery_percent", offset=0, mask=0x7E),
        PayloadField(fport=10, field="temperature_mdeg_c", offset=3, length=2, signed=True, scale=100, add=-500),
    )
    check_table(table)
    assert decode(table, 10, bytes.fromhex("c3 6801 ff9c")) == {
        "occupied": True,
        "battery_mv": 3600,
        "battery_percent": 33,
        "temperature_mdeg_c": -10_500,
    }


def test_a_battery_that_the_sensor_does_not_know_takes_nothing_from_the_state() -> None:
    table = (
        PayloadField(fport=2, field="occupied", offset=0),
        PayloadField(fport=2, field="battery_percent", offset=1),
        PayloadField(fport=2, field="battery_mv", offset=1, length=2, scale=10),
        PayloadField(fport=2, field="temperature_mdeg_c", offset=1, length=2, signed=True, scale=-1_000_000),
    )
    assert decode(table, 2, bytes.fromhex("01 ffff")) == {"occupied": True, "temperature_mdeg_c": 1_000_000}
    assert decode(table, 2, bytes.fromhex("01 7fff")) == {"occupied": True}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"signed": True, "mask": 1}, "exclude each other"),
        ({"scale": 2}, "yes or no"),
        ({"add": 1}, "yes or no"),
        ({"field": "battery_mv", "equals": 1}, "for the field occupied"),
        ({"field": "battery_mv", "cause": "poll"}, "for the field occupied"),
        ({"length": 5}, "from 1 to 4"),
        ({"mask": 0}, "from 1"),
        ({"field": "colour"}, "one of: occupied"),
        ({"byte_order": "middle"}, "one of: big, little"),
        ({"bit": 3}, "unknown key"),
    ],
)
def test_a_row_that_cannot_be_is_told(row: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(PayloadField, {"fport": 1, "field": "occupied", "offset": 0, **row}, problems) is None
    assert why in "\n".join(problems)


def test_a_table_without_the_state_or_with_a_field_twice_is_told() -> None:
    battery = PayloadField(fport=2, field="battery_mv", offset=1)
    with pytest.raises(ValueError, match="no row for occupied on FPort 2"):
        check_table((PayloadField(fport=1, field="occupied", offset=0), battery))
    with pytest.raises(ValueError, match="battery_mv on FPort 2 twice"):
        check_table((PayloadField(fport=2, field="occupied", offset=0), battery, battery))


@given(st.integers(0, 255), st.binary(max_size=242))
def test_any_payload_gives_a_state_that_can_be_recorded_nothing_or_a_value_error(fport: int, payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        fields = decode(BOSCH_PARKING, fport, payload)
        if fields is not None:
            assert event_type("parking.state").check({"bay": "A-1", **fields})
