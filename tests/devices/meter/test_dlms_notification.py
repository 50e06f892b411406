from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.meter.dlms_data import DataReader, DlmsError, Enumerated
from devices.meter.dlms_notification import Notification, parse_notification, time_text

TIME = bytes.fromhex("07e30c1001073b28ff8000ff")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", None),
        ("0301", True),
        ("05 ffffffff", -1),
        ("06 ffffffff", 4294967295),
        ("0f 80", -128),
        ("10 fffe", -2),
        ("11 ff", 255),
        ("12 ffff", 65535),
        ("14 8000000000000000", -(1 << 63)),
        ("15 ffffffffffffffff", (1 << 64) - 1),
        ("16 1b", Enumerated(27)),
        ("17 41449999", Decimal("12.287499")),
        ("17 7f7fffff", Decimal("3.4028235e38")),
        ("17 7fc00000", None),
        ("18 3fb999999999999a", Decimal("0.1")),
        ("18 7ff0000000000000", None),
        ("09 02 c3a6", b"\xc3\xa6"),
        ("0a 02 c3a6", "æ"),
        ("0c 81 02 c3a6", "æ"),
        ("09 820002 c3a6", b"\xc3\xa6"),
        ("1b 01020304", b"\x01\x02\x03\x04"),
        ("02 02 11 01 01 02 00 16 1e", [1, [None, Enumerated(30)]]),
    ],
)
def test_each_type_of_data_is_read_exactly(data: str, value: Any) -> None:
    reader = DataReader(bytes.fromhex(data))
    assert reader.value() == value
    assert reader.at_end()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "ends within"),
        ("06 0000", "ends within"),
        ("09 05 00", "ends within"),
        ("13 00", "type 19"),
        ("09 85 00", "a length of 5 bytes"),
        ("09 80", "a length of 0 bytes"),
        ("01 7f 00", "more elements than bytes"),
        ("0101" * 9 + "00", "nested too deeply"),
    ],
)
def test_what_is_no_data_is_refused_with_its_reason(data: str, why: str) -> None:
    with pytest.raises(DlmsError, match=why):
        DataReader(bytes.fromhex(data)).value()


@pytest.mark.parametrize("time", ["00", "0c" + TIME.hex(), "090c" + TIME.hex(), "0900"])
def test_the_time_of_a_notification_may_be_absent_or_carry_its_tag(time: str) -> None:
    message = bytes.fromhex("e6e7000f40000000" + time + "1101")
    expected = Notification(TIME if len(time) > 4 else None, 1)
    assert parse_notification(message) == expected
    assert parse_notification(message[3:]) == expected


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "ends within"),
        ("db0800", "encrypted .general-glo-ciphering"),
        ("dd00", "encrypted .general-ciphering"),
        ("e000", "general-block-transfer"),
        ("c401", "type C4h"),
        ("0f40000000 05", "a time of 5 bytes"),
        ("0f40000000 00 1101 00", "bytes after the data"),
    ],
)
def test_what_is_no_notification_is_refused_with_its_reason(message: str, why: str) -> None:
    with pytest.raises(DlmsError, match=why):
        parse_notification(b"\xe6\xe7\x00" + bytes.fromhex(message))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (TIME.hex(), "2019-12-16T07:59:40"),
        ("07e40119060e000aff800000", "2020-01-25T14:00:10"),
        ("07e509160311231effffc400", "2021-09-22T17:35:30+01:00"),
        ("07e509160311231e05ff8880", "2021-09-22T17:35:30.05+02:00 s80"),
        ("07e509160311231eff01a400", "2021-09-22T17:35:30-07:00"),
        ("ffffffffffffffffff8000ff", "****-**-**T**:**:**"),
        ("07e509fd0311231eff7fff00", "2021-09-**T17:35:30"),
    ],
)
def test_times_are_told_in_the_meters_own_numbers(raw: str, text: str) -> None:
    assert time_text(bytes.fromhex(raw)) == text


@given(st.binary(min_size=12, max_size=12))
def test_any_time_is_text_that_an_event_can_hold(raw: bytes) -> None:
    assert len(time_text(raw)) <= 32


@given(st.binary(max_size=300))
def test_any_bytes_are_a_notification_or_a_dlms_error(message: bytes) -> None:
    for start in (b"", b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x00"):
        try:
            parse_notification(start + message)
        except DlmsError:
            continue
