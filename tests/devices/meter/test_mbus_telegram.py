from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.meter.mbus_telegram import Function, MBusError, Record, parse_telegram

HEADER = bytes.fromhex("7803491177040e160a000000")


def records(data: str) -> tuple[Record, ...]:
    telegram = parse_telegram(0x72, HEADER + bytes.fromhex(data))
    assert telegram.problem == ""
    return telegram.records


def only(data: str) -> Record:
    (record,) = records(data)
    return record


def test_the_header_tells_who_speaks() -> None:
    header = parse_telegram(0x72, HEADER).header
    assert (header.identification, header.manufacturer, header.version, header.medium) == ("11490378", "ACW", 14, 0x16)
    assert (header.access_number, header.status) == (10, 0)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("0113 ff", "-0.001"),
        ("0213 0080", "-32.768"),
        ("0313 ffff7f", "8388.607"),
        ("0413 00000080", "-2147483.648"),
        ("0613 ffffffffff7f", "140737488355.327"),
        ("0703 ffffffffffffff7f", "9223372036854775807"),
        ("0913 12", "0.012"),
        ("0a13 3412", "1.234"),
        ("0b13 5634f2", "-23.456"),
        ("0c07 78563412", "123456780000"),
        ("0e13 907856341200", "1234567.890"),
        ("055b cdcc4441", "12.3"),
        ("0d13 c2 3412", "1.234"),
        ("0d13 d2 3412", "-1.234"),
    ],
    ids=str,
)
def test_numbers_are_exact_in_each_coding(data: str, value: str) -> None:
    assert str(only(data).value) == value


def test_a_real_is_the_shortest_decimal_of_its_bits() -> None:
    assert only("055b 2b4bac41").value == Decimal("21.536703")
    assert only("055b ffff7f7f").value == Decimal("3.4028235e38")
    assert only("055b 0000c07f").value is None
    assert only("055b 0000807f").value is None


def test_digits_above_nine_are_told_as_what_the_display_shows() -> None:
    assert only("0c13 bdebdddd").value == "DDDDEBBD"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("026c bf1c", "2013-12-31"),
        ("046d 172ecc13", "2014-03-12T14:23"),
        ("046d 17aecc13", "2014-03-12T14:23S"),
        ("046d 972ecc13", "2014-03-12T14:23 invalid"),
        ("046d 100905c5", "1996-05-05T09:16"),
        ("066d 000008162700", "2016-07-22T08:00:00"),
        ("036d 3b1e0c", "12:30:59"),
        ("026c ffff", None),
        ("04ad6f 172ecc13", "2014-03-12T14:23"),
    ],
)
def test_times_are_told_in_the_meters_own_numbers(data: str, text: str | None) -> None:
    assert only(data).value == text


def test_storage_tariff_and_subunit_are_gathered_from_all_difes() -> None:
    record = only("d4 91 6a 04 01000000".replace(" ", ""))
    assert (record.function, record.storage, record.tariff, record.subunit) == (
        Function.MAXIMUM,
        1 | 1 << 1 | 10 << 5,
        1 | 2 << 2,
        0 | 1 << 1,
    )


def test_combinable_vifes_scale_or_shift_exactly() -> None:
    assert only("0193 72 05").value == Decimal("5e-7")  # litres times 10**-4
    assert str(only("0193 7d 05").value) == "5"  # litres times 1000
    assert str(only("01da 79 05").value) == "0.51"  # tenths of a degree, plus 0.01
    assert only("01ab 20 05").quantity.unit == "W/s"
    assert only("0193 50 05").quantity.unit == "s"
    assert only("0193 41 05").quantity.unit == ""


def test_a_plain_text_unit_is_read_from_behind() -> None:
    record = only("02fc 03 485225 74 a406")
    assert record.quantity.unit == "%RH"
    assert str(record.value) == "17.00"


def test_error_flags_are_bits_without_a_sign() -> None:
    assert only("02fd17 0080").value == 32768


def test_what_follows_the_makers_mark_is_kept_as_bytes() -> None:
    telegram = parse_telegram(0x72, HEADER + bytes.fromhex("2f 0113 05 0f 000175"))
    assert [record.value for record in telegram.records] == [Decimal("0.005")]
    assert (telegram.manufacturer_data, telegram.more_follow) == (b"\x00\x01\x75", False)
    assert parse_telegram(0x72, HEADER + b"\x1f").more_follow


def test_the_fixed_structure_has_two_counters() -> None:
    telegram = parse_telegram(0x73, bytes.fromhex("78563412 0a 00 e97e 01000000 35010000"))
    assert telegram.header.identification == "12345678"
    assert telegram.header.medium == 0x07
    volume, stored = telegram.records
    assert (str(volume.value), volume.quantity.unit, volume.storage) == ("0.001", "m3", 0)
    assert (str(stored.value), stored.quantity.unit, stored.storage) == ("0.135", "m3", 1)


def test_fixed_counters_may_be_binary() -> None:
    telegram = parse_telegram(0x73, bytes.fromhex("78563412 0a 80 0529 00010000 ff000000"))
    assert [str(record.value) for record in telegram.records] == ["256000", "0.255"]


@pytest.mark.parametrize(
    ("ci", "data", "why"),
    [
        (0x70, "08", "application busy"),
        (0x70, "", "unspecified error"),
        (0x70, "63", "error 99"),
        (0x71, "00", "an alarm"),
        (0x76, HEADER.hex(), "mode 2"),
        (0x7A, "00", "short header"),
        (0x00, "", "CI field 00h"),
        (0x72, "7803", "cut off"),
        (0x73, "7803", "fixed data of 2 bytes"),
        (0x72, HEADER[:11].hex() + "05" + "aabbccdd", "encrypted .security mode 5"),
    ],
)
def test_what_is_no_telegram_is_refused_with_its_reason(ci: int, data: str, why: str) -> None:
    with pytest.raises(MBusError, match=why):
        parse_telegram(ci, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("0113", "cut off"),
        ("01", "cut off"),
        ("8101", "cut off"),
        ("0193", "cut off"),
        ("0d13 f7", "reserved length F7h"),
        ("3f", "special function"),
        ("81" + "80" * 11, "more than 10 DIFEs"),
        ("0193" + "80" * 11, "more than 10 VIFEs"),
        ("017c 7f 41", "cut off"),
    ],
)
def test_records_before_a_break_are_kept_and_the_break_is_told(data: str, why: str) -> None:
    telegram = parse_telegram(0x72, HEADER + bytes.fromhex("0113 05" + data))
    assert [record.value for record in telegram.records] == [Decimal("0.005")]
    assert why in telegram.problem


@given(st.integers(0, 255), st.binary(max_size=260))
def test_any_bytes_are_a_telegram_or_an_mbus_error(ci: int, data: bytes) -> None:
    try:
        telegram = parse_telegram(ci, data)
    except MBusError:
        return
    assert len(telegram.records) <= len(data)


@given(st.binary(max_size=240))
def test_any_records_are_read_up_to_where_they_break(data: bytes) -> None:
    for record in parse_telegram(0x72, HEADER + data).records:
        assert isinstance(record.value, Decimal | str | bytes | None)
