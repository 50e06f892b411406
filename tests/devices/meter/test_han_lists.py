"""Lists as the makers' interface descriptions print them, with amshan as a second opinion on the same bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from han import aidon, kaifa, kamstrup, obis_map
from hypothesis import given
from hypothesis import strategies as st

from devices.driver import WireCounters
from devices.meter.dlms_data import DlmsError
from devices.meter.dlms_notification import parse_notification
from devices.meter.han_lists import meter_in

if TYPE_CHECKING:
    from devices.meter.registers import Meter

NO_TIME = "e6e7000f4000000000"
# Aidon, RJ12 HAN interface SV 1.5D (Sweden): list with scalers.
AIDON_SE = NO_TIME + (
    "011b 0202 0906 0000010000ff 090c 07e30c1001073b28ff8000ff"
    "0203 0906 0100010700ff 06 00000462 0202 0f00 161b 0203 0906 0100020700ff 06 00000000 0202 0f00 161b"
    "0203 0906 0100030700ff 06 000005e3 0202 0f00 161d 0203 0906 0100040700ff 06 00000000 0202 0f00 161d"
    "0203 0906 01001f0700ff 10 0000 0202 0fff 1621 0203 0906 0100330700ff 10 004b 0202 0fff 1621"
    "0203 0906 0100470700ff 10 0000 0202 0fff 1621 0203 0906 0100200700ff 12 0903 0202 0fff 1623"
    "0203 0906 0100340700ff 12 09c3 0202 0fff 1623 0203 0906 0100480700ff 12 0904 0202 0fff 1623"
    "0203 0906 0100150700ff 06 00000000 0202 0f00 161b 0203 0906 0100160700ff 06 00000000 0202 0f00 161b"
    "0203 0906 0100170700ff 06 00000000 0202 0f00 161d 0203 0906 0100180700ff 06 00000000 0202 0f00 161d"
    "0203 0906 0100290700ff 06 00000462 0202 0f00 161b 0203 0906 01002a0700ff 06 00000000 0202 0f00 161b"
    "0203 0906 01002b0700ff 06 000005e2 0202 0f00 161d 0203 0906 01002c0700ff 06 00000000 0202 0f00 161d"
    "0203 0906 01003d0700ff 06 00000000 0202 0f00 161b 0203 0906 01003e0700ff 06 00000000 0202 0f00 161b"
    "0203 0906 01003f0700ff 06 00000000 0202 0f00 161d 0203 0906 0100400700ff 06 00000000 0202 0f00 161d"
    "0203 0906 0100010800ff 06 00995986 0202 0f00 161e 0203 0906 0100020800ff 06 00000008 0202 0f00 161e"
    "0203 0906 0100030800ff 06 0064ed4b 0202 0f00 1620 0203 0906 0100040800ff 06 00000005 0202 0f00 1620"
)
# Aidon, Norway: lists 1 and 3 of the HAN-NVE profile.
AIDON_LIST_1 = NO_TIME + "0101 0203 0906 0100010700ff 06 00000118 0202 0f00 161b"
AIDON_LIST_3 = NO_TIME + (
    "0109 0202 0906 0101000281ff 0a0b 4149444f4e5f5630303031"
    "0202 0906 0000600100ff 0a10 37333539393932383932353837363635 0202 0906 0000600107ff 0a04 36353235"
    "0203 0906 0100010700ff 06 00000118 0202 0f00 161b 0203 0906 01001f0700ff 10 000d 0202 0fff 1621"
    "0203 0906 0100200700ff 12 08e4 0202 0fff 1623 0202 0906 0000010000ff 090c 07e4011502100000ff000000"
    "0203 0906 0100010800ff 06 0022ab8a 0202 0f01 161e 0203 0906 0100040800ff 06 00029b5b 0202 0f01 1620"
)
# Kaifa, KFM_001 (Norway): list 3 of a meter of three phases, list 1.
KAIFA_LIST_3 = (
    "e6e7000f40000000 090c 07e40119060e000aff800000"
    "0212 0907 4b464d5f303031 0910 36393730363331343032363134343736 0908 4d41333034483345"
    "06 00001328 06 00000000 06 00000000 06 00000179 06 000038eb 06 00003d1b 06 00002535"
    "06 00000891 06 00000000 06 0000089d 090c 07e40119060e000aff800000"
    "06 04be76e8 06 00000000 06 000d922d 06 0030feb4"
)
KAIFA_LIST_1 = "e6e7000f40000000 090c 07e3020401173416ff800000 0201 06 000016dc"
# Kaifa, Sweden: OBIS codes without scalers.
KAIFA_SE = NO_TIME + (
    "020a 0906 0100000281ff 0907 4b464d5f303031 0906 0000600100ff 0910 37333430373334303733343037333430"
    "0906 01001f0700ff 06 00001a7d 0906 0000010000ff 090c 07e509160311231effffc400 0906 0100010800ff 06 00490b23"
)
# Kamstrup, HAN-NVE interface description: the list of a meter of one phase, with the fillers that real ones send.
KAMSTRUP_LIST_2 = (
    "e6e7000f00000000 0c 07e50b1803000019ff800000"
    "0211 0a0e 4b616d73747275705f5630303031 0906 0101000005ff 0a10 35373036353637303030303030303030"
    "0906 0101600101ff 0a12 363836313131313030303030303030303030 0906 0101010700ff 06 00002742"
    "0906 01011f0700ff 06 000011a0 0000 0906 0101200700ff 12 00df"
    "0906 0001010000ff 090c 07e50b1803000019ff800000 0906 0101010800ff 06 00762ee2"
)


def meter(message: str, last_id: str | None = None) -> Meter:
    counters = WireCounters()
    found = meter_in(parse_notification(bytes.fromhex(message)), last_id, counters)
    assert counters == WireCounters()
    return found


def values(found: Meter) -> dict[str, str]:
    return {one.obis: f"{one.value} {one.unit}" for one in found.registers}


def test_a_list_with_scalers_tells_each_register_exactly() -> None:
    found = meter(AIDON_SE)
    assert (found.id, found.time) == ("unknown", "2019-12-16T07:59:40")
    assert len(found.registers) == 26
    told = values(found)
    assert told["1-0:1.7.0"] == "1122 W"
    assert told["1-0:51.7.0"] == "7.5 A"
    assert told["1-0:52.7.0"] == "249.9 V"
    assert told["1-0:43.7.0"] == "1506 var"
    assert told["1-0:1.8.0"] == "10049926 Wh"
    assert told["1-0:3.8.0"] == "6614347 varh"


def test_a_scaler_above_zero_is_multiplied_out() -> None:
    found = meter(AIDON_LIST_3)
    assert (found.id, found.time) == ("7359992892587665", "2020-01-21T16:00:00+00:00")
    assert values(found)["1-0:1.8.0"] == "22721380 Wh"


def test_a_list_of_bare_values_is_read_by_its_length() -> None:
    found = meter(KAIFA_LIST_3)
    assert (found.id, found.time) == ("6970631402614476", "2020-01-25T14:00:10")
    assert values(found) == {
        "1-0:1.7.0": "4904 W",
        "1-0:2.7.0": "0 W",
        "1-0:3.7.0": "0 var",
        "1-0:4.7.0": "377 var",
        "1-0:31.7.0": "14.571 A",
        "1-0:51.7.0": "15.643 A",
        "1-0:71.7.0": "9.525 A",
        "1-0:32.7.0": "219.3 V",
        "1-0:52.7.0": "0.0 V",
        "1-0:72.7.0": "220.5 V",
        "1-0:1.8.0": "79591144 Wh",
        "1-0:2.8.0": "0 Wh",
        "1-0:3.8.0": "889389 varh",
        "1-0:4.8.0": "3210932 varh",
    }


def test_the_scales_of_a_list_without_scalers_are_the_makers() -> None:
    told = meter(KAMSTRUP_LIST_2)
    assert (told.id, told.time) == ("5706567000000000", "2021-11-24T00:00:25")
    assert values(told) == {
        "1-1:1.7.0": "10050 W",
        "1-1:31.7.0": "45.12 A",
        "1-1:32.7.0": "223 V",
        "1-1:1.8.0": "77452500 Wh",
    }
    told = meter(KAIFA_SE)
    assert (told.id, told.time) == ("7340734073407340", "2021-09-22T17:35:30+01:00")
    assert values(told) == {"1-0:31.7.0": "6.781 A", "1-0:1.8.0": "4786979 Wh"}


def test_the_current_of_a_transformer_meter_is_left_out_as_its_scale_is_not_known() -> None:
    transformer = KAMSTRUP_LIST_2.replace("363836313131", "363835313131")
    assert "1-1:31.7.0" not in values(meter(transformer))
    assert "1-1:1.8.0" in values(meter(transformer))


@pytest.mark.parametrize(("message", "power"), [(AIDON_LIST_1, "280 W"), (KAIFA_LIST_1, "5852 W")])
def test_the_shortest_list_is_of_whom_the_longer_ones_named(message: str, power: str) -> None:
    assert meter(message).id == "unknown"
    found = meter(message, "6970631402614476")
    assert (found.id, values(found)) == ("6970631402614476", {"1-0:1.7.0": power})


@pytest.mark.parametrize(
    ("message", "decode"),
    [
        (AIDON_SE, aidon.decode_frame_content),
        (AIDON_LIST_1, aidon.decode_frame_content),
        (AIDON_LIST_3, aidon.decode_frame_content),
        (KAIFA_LIST_1, kaifa.decode_frame_content),
        (KAIFA_LIST_3, kaifa.decode_frame_content),
        (KAIFA_SE, kaifa.decode_frame_content),
        (
            KAMSTRUP_LIST_2.replace("0211", "020f").replace("06 000011a0 0000", "06 000011a0"),
            kamstrup.decode_frame_content,
        ),
    ],
)
def test_amshan_reads_the_same_from_the_same_bytes(message: str, decode: Any) -> None:
    second = decode(bytes.fromhex(message))
    found = meter(message)
    assert found.id in (second.get("meter_id"), "unknown")
    for register in found.registers:
        name = obis_map.obis_name_map[register.obis.partition(":")[2]]
        # amshan goes through floats: its value is the nearest one.
        assert float(register.value) == pytest.approx(second[name], rel=1e-12)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("1101", "without a list"),
        ("0200", "without a list"),
        ("0102 0201 00 0201 00", "another shape"),
        ("0101 0203 0906 0100010700ff 06 00000118 0202 0f7f 161b", "scaler 127"),
        ("0203 00 00 00", "no pairs"),
        ("0202 1101 1102", "no OBIS codes"),
        ("0202 0906 0100010800ff 06 00000001", "without scalers by a maker"),
        ("0203 0a03 4c4742 0906 0100010800ff 06 00000001", "without scalers by a maker"),
    ],
)
def test_a_list_of_another_shape_is_refused_with_its_reason(body: str, why: str) -> None:
    with pytest.raises(DlmsError, match=why):
        meter(NO_TIME + body)


def test_a_value_that_cannot_be_signed_is_counted_and_left_out() -> None:
    counters = WireCounters()
    message = NO_TIME + "0101 0203 0906 0100010800ff 15 ffffffffffffffff 0202 0f00 161e"
    assert meter_in(parse_notification(bytes.fromhex(message)), None, counters).registers == ()
    assert counters.errors == 1


@given(st.binary(max_size=200))
def test_any_notification_is_a_meter_or_a_dlms_error(body: bytes) -> None:
    for message in (body, b"\x01\x01\x02\x03\x09\x06\x01\x00\x01\x08\x00\xff" + body, b"\x02\x04\x0a\x04KFM_" + body):
        try:
            found = meter_in(parse_notification(bytes.fromhex(NO_TIME) + message), None, WireCounters())
        except DlmsError:
            continue
        assert all(isinstance(one.value, Decimal) for one in found.registers)
