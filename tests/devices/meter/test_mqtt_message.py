from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.driver import WireCounters
from devices.meter.mqtt_formats import DEFAULT_TOPICS, SHELLY, TASMOTA, ZIGBEE2MQTT, Field
from devices.meter.mqtt_message import Reader, configured, find, meters_in, shelly, tasmota, zigbee2mqtt

if TYPE_CHECKING:
    from devices.meter.registers import Meter

# A Sonoff POW as Tasmota's documentation shows it, and a three-phase meter with two tariffs.
SENSOR = (
    b'{"Time":"2026-11-23T10:11:12","ENERGY":{"TotalStartTime":"2024-01-01T00:00:00","Total":3.185,"Yesterday":3.058,'
    b'"Today":0.127,"Period":0,"Power":32,"ApparentPower":65,"ReactivePower":57,"Factor":0.50,"Voltage":232,'
    b'"Current":0.282}}'
)
THREE_PHASES = (
    b'{"StatusSNS":{"Time":"2026-11-23T10:11:12","ENERGY":{"Total":[1.0,2.0,3.0],"TotalTariff":[4.100,5.200],'
    b'"ExportActive":0.700,"Power":[10,-20,30],"Voltage":[231.1,232.2,233.3],"Frequency":50.01}}}'
)
NOTIFICATION = (
    b'{"src":"shellypro3em-a0b1c2d3e4f5","dst":"shellypro3em-a0b1c2d3e4f5/events","method":"NotifyStatus","params":'
    b'{"ts":1683801180.04,"em:0":{"id":0,"a_current":0.027,"a_voltage":235.2,"a_act_power":0.0,"n_current":null,'
    b'"total_act_power":-12.5},"emdata:0":{"id":0,"a_total_act_energy":39922.93,"total_act":119878.25,'
    b'"total_act_ret":1607.05},"wifi":{"rssi":-50},"switch:x":{"apower":1}}}'
)


def meters(reader: Reader, topic: str, payload: bytes, counters: WireCounters | None = None) -> list[Meter]:
    return meters_in(reader, topic, payload, counters or WireCounters())


def told(meter: Meter) -> dict[str, str]:
    return {one.obis: f"{one.value} {one.unit}" for one in meter.registers}


def test_a_tasmota_plug() -> None:
    (meter,) = meters(tasmota, "tele/plug-7/SENSOR", SENSOR)
    assert (meter.id, meter.time) == ("plug-7", "2026-11-23T10:11:12")
    assert told(meter) == {
        "1-0:1.8.0": "3.185 kWh",
        "1-0:16.7.0": "32 W",
        "1-0:32.7.0": "232 V",
        "1-0:31.7.0": "0.282 A",
    }


def test_a_tasmota_meter_of_three_phases_answers_a_query_and_totals_by_phase_are_not_summed_up() -> None:
    (meter,) = meters(tasmota, "stat/house/meter-7/STATUS10", THREE_PHASES)
    assert (meter.id, meter.time) == ("meter-7", "2026-11-23T10:11:12")
    assert told(meter) == {
        "1-0:1.8.1": "4.100 kWh",
        "1-0:1.8.2": "5.200 kWh",
        "1-0:2.8.0": "0.700 kWh",
        "1-0:36.7.0": "10 W",
        "1-0:56.7.0": "-20 W",
        "1-0:76.7.0": "30 W",
        "1-0:32.7.0": "231.1 V",
        "1-0:52.7.0": "232.2 V",
        "1-0:72.7.0": "233.3 V",
        "1-0:14.7.0": "50.01 Hz",
    }


def test_a_tasmota_sensor_that_is_no_meter_tells_none() -> None:
    assert meters(tasmota, "tele/x/SENSOR", b'{"Time":"2026-11-23T10:11:12","DHT11":{"Temperature":20.1}}') == []


def test_a_shelly_notification_tells_one_meter_of_both_its_components() -> None:
    (meter,) = meters(shelly, "hall/shellypro3em-a0b1c2d3e4f5/events/rpc", NOTIFICATION)
    assert (meter.id, meter.time) == ("hall/shellypro3em-a0b1c2d3e4f5/em:0", "1683801180.04")
    assert told(meter) == {
        "1-0:16.7.0": "-12.5 W",
        "1-0:36.7.0": "0.0 W",
        "1-0:32.7.0": "235.2 V",
        "1-0:31.7.0": "0.027 A",
        "1-0:1.8.0": "119878.25 Wh",
        "1-0:2.8.0": "1607.05 Wh",
        "1-0:21.8.0": "39922.93 Wh",
    }


def test_a_shelly_status_topic_tells_its_component() -> None:
    payload = b'{"id":2,"apower":8.9,"voltage":237.5,"aenergy":{"total":6.532},"ret_aenergy":{"total":1.5}}'
    (meter,) = meters(shelly, "shellyplus1pm-1/status/switch:2", payload)
    assert (meter.id, meter.time) == ("shellyplus1pm-1/switch:2", None)
    assert told(meter) == {
        "1-0:15.8.0": "6.532 Wh",
        "1-0:2.8.0": "1.5 Wh",
        "1-0:16.7.0": "8.9 W",
        "1-0:32.7.0": "237.5 V",
    }


def test_each_channel_of_a_shelly_is_a_meter_of_its_own() -> None:
    params = {"ts": 1, "em1:0": {"act_power": 1}, "em1:1": {"act_power": 2}, "em1data:1": {"total_act_energy": 3}}
    payload = json.dumps({"method": "NotifyFullStatus", "params": params}).encode()
    first, second = meters(shelly, "s/events/rpc", payload)
    assert (first.id, told(first)) == ("s/em1:0", {"1-0:16.7.0": "1 W"})
    assert (second.id, told(second)) == ("s/em1:1", {"1-0:16.7.0": "2 W", "1-0:1.8.0": "3 Wh"})


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("s/events/rpc", b'{"method":"NotifyEvent","params":{"switch:0":{"apower":1}}}'),
        ("s/events/rpc", b'{"method":"NotifyStatus","params":[1]}'),
        ("s/events/rpc", b"[]"),
        ("s/status/sys", b'{"apower":1}'),
        ("s/status/switch:300", b'{"apower":1}'),
        ("s/status/switch:0", b'{"output":true,"apower":null,"voltage":"230"}'),
        ("s", b"7"),
    ],
)
def test_what_else_a_shelly_says_tells_no_meter(topic: str, payload: bytes) -> None:
    assert meters(shelly, topic, payload) == []


def test_a_zigbee_plug() -> None:
    payload = (
        b'{"current":0.12,"energy":17.02,"last_seen":"2026-11-23T10:11:12.123Z","power":-30,"produced_energy":1,'
        b'"voltage":231}'
    )
    (meter,) = meters(zigbee2mqtt, "zigbee2mqtt/hall/plug", payload)
    assert (meter.id, meter.time) == ("hall/plug", "2026-11-23T10:11:12.123Z")
    assert told(meter) == {
        "1-0:1.8.0": "17.02 kWh",
        "1-0:2.8.0": "1 kWh",
        "1-0:16.7.0": "-30 W",
        "1-0:32.7.0": "231 V",
        "1-0:31.7.0": "0.12 A",
    }


def test_a_zigbee_sensor_whose_battery_has_a_voltage_is_no_meter() -> None:
    assert meters(zigbee2mqtt, "zigbee2mqtt/door", b'{"battery":97,"contact":false,"voltage":3025}') == []


def test_a_last_seen_in_epoch_milliseconds_is_kept_as_it_is() -> None:
    (meter,) = meters(zigbee2mqtt, "zigbee2mqtt/p", b'{"energy":1.0,"last_seen":1763892672123}')
    assert meter.time == "1763892672123"


def test_any_json_by_configured_fields() -> None:
    fields = [Field(("SML", "Total_in"), "1-0:1.8.0", "kWh"), Field(("list", "1"), "1-0:2.8.0", "Wh")]
    payload = b'{"at":"noon","SML":{"Total_in":1234.567890},"list":[1,2]}'
    (meter,) = meters(configured(fields, ("at",)), "tele/x/SENSOR", payload)
    assert (meter.id, meter.time) == ("tele/x/SENSOR", "noon")
    assert told(meter) == {"1-0:1.8.0": "1234.567890 kWh", "1-0:2.8.0": "2 Wh"}


@pytest.mark.parametrize("path", [("a", "b"), ("l", "2"), ("l", "x"), ("l", "-1"), ("l", "9999999999"), ("n", "x")])
def test_a_path_that_leads_nowhere_finds_nothing(path: tuple[str, ...]) -> None:
    assert find({"a": 1, "l": [1, 2], "n": None}, path) is None


def test_a_number_that_cannot_be_signed_is_counted_and_left_out() -> None:
    counters = WireCounters()
    payload = b'{"energy":1e400,"produced_energy":12345678901234567890.5,"power":5}'
    (meter,) = meters(zigbee2mqtt, "zigbee2mqtt/p", payload, counters)
    assert told(meter) == {"1-0:16.7.0": "5 W"}
    assert counters.errors == 2
    assert "1-0:2.8.0" in counters.last_error


def test_true_is_no_number() -> None:
    assert meters(zigbee2mqtt, "zigbee2mqtt/p", b'{"energy":true,"power":false}') == []


def test_a_name_too_long_to_be_recorded_is_refused_rather_than_cut() -> None:
    for name in ("x" * 65, "\N{SNOWMAN}" * 22):
        with pytest.raises(ValueError, match="more than 64 bytes"):
            meters(zigbee2mqtt, f"zigbee2mqtt/{name}", b'{"energy":1}')


@pytest.mark.parametrize("time", ["x" * 33, "", "a\\u0000b", "\\ud800"])
def test_a_time_that_no_event_can_hold_is_none(time: str) -> None:
    (meter,) = meters(tasmota, "tele/p/SENSOR", f'{{"Time":"{time}","ENERGY":{{"Power":1}}}}'.encode())
    assert meter.time is None


def test_every_obis_code_of_the_tables_stands_once_a_meter_kind() -> None:
    for fields in (ZIGBEE2MQTT, SHELLY["em"] + SHELLY["emdata"], SHELLY["em1"] + SHELLY["em1data"], SHELLY["switch"]):
        codes = [field.obis for field in fields]
        assert len(codes) == len(set(codes))
    assert len({(field.path, field.obis) for field in TASMOTA}) == len(TASMOTA)


NAMES = st.sampled_from(
    [
        "ENERGY",
        "Total",
        "Power",
        "Time",
        "StatusSNS",
        "method",
        "NotifyStatus",
        "params",
        "ts",
        "em:0",
        "emdata:0",
        "switch:0",
        "aenergy",
        "total",
        "energy",
        "power",
        "last_seen",
        "total_act",
        "0",
        "x",
    ]
)
LEAVES = (
    NAMES | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6))


@given(
    st.sampled_from([tasmota, shelly, zigbee2mqtt, configured([Field(("0",), "1-0:1.8.0", "kWh")], ("x",))]),
    st.sampled_from([*(topic.replace("+", "p") for topic in DEFAULT_TOPICS.values()), "p/status/em:0", "", "x"]),
    VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=300),
)
def test_any_message_gives_meters_that_can_be_recorded_or_a_value_error(
    reader: Reader, topic: str, payload: bytes
) -> None:
    found: list[Any] = []
    with contextlib.suppress(ValueError):
        found = meters(reader, topic, payload)
    for meter in found:
        assert 1 <= len(meter.id) <= 64
        assert meter.registers
        assert meter.time is None or 1 <= len(meter.time) <= 32
