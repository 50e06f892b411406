from dataclasses import replace
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger_sync.proof import cbor, cose
from ledger_sync.proof.cose import Envelope, Role
from ledger_sync.proof.errors import CborError, MalformedError, ProofError, SchemaError
from ledger_sync.proof.event import ClockState, PayloadEncoder, Stamp, encode_data, encode_evidence, parse_event
from ledger_sync.proof.event_types import event_type
from tests.support.city_of_proofs import (
    ABSENT,
    BOOT_ID,
    GATEWAY_KEY,
    JOURNAL,
    METER_READING,
    UTC_US,
    Plan,
    build,
    overridden,
)

ROW = event_type("meter.reading")
SYNCED = ClockState(2, 1500, "ntp", authenticated=True)
PLACES = st.integers(2, (1 << 32) - 1)
EVIDENCE = st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple)
CLOCKS = st.one_of(
    st.builds(ClockState, st.just(0), st.none(), st.just("none"), st.booleans()),
    st.builds(ClockState, st.integers(1, 2), st.integers(0, 1 << 63), st.text("abcgnptsz", max_size=8), st.booleans()),
)
STAMPS = st.builds(
    Stamp,
    st.integers(0, 253_402_300_799_999_999),
    st.binary(min_size=16, max_size=16),
    st.integers(0, (1 << 64) - 1),
    CLOCKS,
)
REGISTERS = st.fixed_dictionaries(
    {
        "obis": st.sampled_from(["1-0:1.8.1", "1-0:2.8.0", "0-1:24.2.1"]),
        "value": st.builds(lambda m, e: Decimal(m).scaleb(e), st.integers(-(10**15), 10**15), st.integers(-3, 0)),
        "unit": st.sampled_from(["kWh", "kW", "m3"]),
    }
)
READINGS = st.fixed_dictionaries(
    {
        "meter_id": st.text("0123456789ABCDEF", min_size=1, max_size=34),
        "meter_time": st.none() | st.just("260101010000W"),
        "integrity": st.sampled_from(["crc", "none"]),
        "registers": st.lists(REGISTERS, min_size=1, max_size=3),
    }
)


@given(PLACES, PLACES, STAMPS, READINGS, st.integers(0, 3), EVIDENCE, st.data())
def test_a_payload_is_the_encoding_of_its_map_and_is_parsed_to_what_was_meant(
    sequence: int,
    counter: int,
    stamp: Stamp,
    data: dict[str, Any],
    origin: int,
    evidence: tuple[bytes, ...],
    draw: st.DataObject,
) -> None:
    passport = draw.draw(st.none() | st.integers(1, sequence - 1))
    encoded_data = encode_data(ROW, data)
    assert encoded_data == cbor.encode(data)
    assume(len(encoded_data) + 3 + 34 * len(evidence) <= 300)
    field = encode_evidence(ROW, encoded_data, evidence)
    payload = PayloadEncoder(JOURNAL).encode(sequence, counter, stamp, ROW, encoded_data, origin, field, passport)
    fields = {1: sequence, 2: JOURNAL, 3: counter, 4: stamp.utc_us, 5: stamp.boot_id, 6: stamp.boottime_us}
    fields |= {7: stamp.clock.as_map(), 8: "meter.reading", 9: 1, 10: data, 13: origin}
    fields |= ({11: list(evidence)} if evidence else {}) | ({} if passport is None else {12: passport})
    assert payload == cbor.encode(fields) == cbor2.dumps(fields, canonical=True)

    protected = cose.protected_header(Role.EVENT, GATEWAY_KEY.kid, {1: "demo/gw-1", 2: "meter-1"})
    event = parse_event(Envelope(protected, lambda _: bytes(64)).seal(payload))
    assert (event.city, event.gateway, event.device, event.kid) == ("demo", "gw-1", "meter-1", GATEWAY_KEY.kid)
    assert (event.sequence, event.journal, event.device_counter, event.stamp) == (sequence, JOURNAL, counter, stamp)
    assert (event.type, event.version, event.data, event.origin) == ("meter.reading", 1, data, origin)
    assert (event.evidence, event.passport) == (evidence, passport)


def test_an_encoder_follows_changes_of_clock_boot_and_type() -> None:
    encoder, stamp = PayloadEncoder(JOURNAL), Stamp(UTC_US, BOOT_ID, 1, SYNCED)
    holdover = stamp._replace(clock=ClockState(1, 9000, "ntp", authenticated=False))
    rebooted = stamp._replace(boot_id=bytes(16))
    for one, row, data in [
        (stamp, ROW, METER_READING),
        (holdover, ROW, METER_READING),
        (rebooted, ROW, METER_READING),
        (stamp, event_type("fare.tap"), {"direction": "in"}),
        (stamp, ROW, METER_READING),
    ]:
        fields = cbor.decode(encoder.encode(1, 1, one, row, encode_data(row, data), 0))
        assert (fields[5], fields[7], fields[8], fields[10]) == (one.boot_id, one.clock.as_map(), row.name, data)


@pytest.mark.parametrize(("sequence", "counter", "utc_us"), [(-1, 1, 0), (1, -1, 0), (1, 1, -1), (1 << 64, 1, 0)])
def test_a_number_that_is_not_unsigned_64_bits_is_not_encoded(sequence: int, counter: int, utc_us: int) -> None:
    with pytest.raises(CborError):
        PayloadEncoder(JOURNAL).encode(sequence, counter, Stamp(utc_us, BOOT_ID, 0, SYNCED), ROW, b"\xa0", 0)


WRONG_FIELDS: dict[str, dict[int, Any]] = {
    **{f"no field {number}": {number: ABSENT} for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13)},
    "an unknown field": {14: 0},
    "sequence 0": {1: 0},
    "a sequence of 33 bits": {1: 1 << 32},
    "a device counter of 33 bits": {3: 1 << 32},
    "a sequence that is true": {1: True},
    "a sequence that is the decimal 1": {1: Decimal(1)},
    "a journal id of 15 bytes": {2: bytes(15)},
    "a device counter of 0": {3: 0},
    "a time before 1970": {4: -1},
    "a time after the year 9999": {4: 253_402_300_800_000_000},
    "a boot id in text": {5: "0" * 16},
    "a negative time since boot": {6: -1},
    "a clock in a list": {7: [2, 1500, "ntp", True]},
    "a clock in state 3": {7: {1: 3, 2: 1500, 3: "ntp", 4: True}},
    "a clock state that is true": {7: {1: True, 2: 1500, 3: "ntp", 4: True}},
    "an error bound while unsynced": {7: {1: 0, 2: 1500, 3: "ntp", 4: True}},
    "a null error bound while unsynced": {7: {1: 0, 2: None, 3: "ntp", 4: True}},
    "no error bound while synced": {7: {1: 2, 3: "ntp", 4: True}},
    "a null error bound while synced": {7: {1: 2, 2: None, 3: "ntp", 4: True}},
    "a negative error bound": {7: {1: 2, 2: -1, 3: "ntp", 4: True}},
    "a clock source of 9 bytes": {7: {1: 2, 2: 1500, 3: "timeserve", 4: True}},
    "a clock source that is no text": {7: {1: 2, 2: 1500, 3: b"ntp", 4: True}},
    "authenticated that is 1": {7: {1: 2, 2: 1500, 3: "ntp", 4: 1}},
    "a clock without authenticated": {7: {1: 2, 2: 1500, 3: "ntp"}},
    "an unknown clock field": {7: {1: 2, 2: 1500, 3: "ntp", 4: True, 5: 0}},
    "a type that is a number": {8: 1},
    "a type without a dot": {8: "reading"},
    "a type with a line break": {8: "meter.reading\n"},
    "a type of 33 characters": {8: "meter." + "r" * 27},
    "version 0": {9: 0},
    "data that is a list": {10: []},
    "data with integer keys": {10: {1: 2}},
    "data of another schema": {10: {"direction": "in"}},
    "a decimal in text": {10: {**METER_READING, "registers": [{"obis": "1.8.0", "value": "1.5", "unit": "kWh"}]}},
    "data of 301 bytes": {
        10: {**METER_READING, "registers": [{"obis": "x" * 24, "value": Decimal(0), "unit": "y" * 16}] * 5}
    },
    "no digest among the evidence": {11: []},
    "a digest of 31 bytes": {11: [bytes(31)]},
    "evidence that is null": {11: None},
    "data that leaves no room for its evidence": {
        8: "fare.tap",
        10: {"direction": "in", "card_sealed": "c" * 192, "zone": "z" * 32, "product": "p" * 10},
        11: [bytes(32)],
    },
    "passport 0": {12: 0},
    "itself as its passport": {1: 102, 12: 102},
    "a null passport": {12: None},
    "origin 4": {13: 4},
    "an origin that is true": {13: True},
}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_an_event_is_malformed_with(name: str) -> None:
    with pytest.raises(MalformedError):
        parse_event(Plan(event_fields=WRONG_FIELDS[name]).event())


@pytest.mark.parametrize(
    "claims",
    [
        {6: 1_767_225_600},
        {2: "meter 1"},
        {2: ""},
        {2: "m" * 33},
        {1: "demo"},
        {1: "demo/GW"},
        {1: "demo/gw-1/x"},
        {1: "/gw-1"},
    ],
    ids=str,
)
def test_an_event_is_malformed_with_the_claims(claims: dict[int, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_event(Plan(event_claims=claims).event())


def test_an_event_carries_evidence_and_a_passport() -> None:
    event = parse_event(Plan(event_fields={11: [bytes(32), bytes(32)], 12: 9}).event())
    assert (event.evidence, event.passport) == ((bytes(32), bytes(32)), 9)


def test_a_type_or_version_that_is_not_known_here_is_read_all_the_same() -> None:
    later = {"anything": [1, None, {"goes": b"\x00"}]}
    assert parse_event(Plan(event_fields={8: "meter.reading", 9: 2, 10: later}).event()).data == later
    assert parse_event(Plan(event_fields={8: "lift.ride", 10: later}).event()).data == later


def test_a_statement_has_nothing_unprotected_and_its_payload_attached() -> None:
    envelope = cose.parse(Plan().event())
    with pytest.raises(MalformedError, match="empty unprotected"):
        parse_event(build().transparent)
    with pytest.raises(MalformedError, match="attached payload"):
        parse_event(replace(envelope, payload=None).encode())


def sized(size: int, kind: str, version: int) -> bytes:
    """A statement of `size` bytes, of a type or version whose data nobody checks."""
    for padding in range(size):
        statement = Plan(event_fields={8: kind, 9: version, 10: {"x": bytes(padding)}}).event()
        if len(statement) == size:
            return statement
    raise AssertionError(size)


@pytest.mark.parametrize(("kind", "version", "size_max"), [("fare.tap", 2, 640), ("lift.ride", 1, 4096)])
def test_a_statement_is_at_most_640_bytes_if_money_hangs_on_it_and_4_kib_else(
    kind: str, version: int, size_max: int
) -> None:
    assert parse_event(sized(size_max, kind, version)).type == kind
    with pytest.raises(MalformedError, match=f"at most {size_max}"):
        parse_event(sized(size_max + 1, kind, version))


def test_data_over_300_bytes_is_not_encoded_if_money_hangs_on_it() -> None:
    register = {"obis": "x" * 24, "value": Decimal(0), "unit": "y" * 16}
    with pytest.raises(SchemaError, match="at most 300"):
        encode_data(ROW, {**METER_READING, "registers": [register] * 5})
    reason = "r" * 300
    assert len(encode_data(event_type("gateway.gap"), overridden(dict.fromkeys(GAP_FIELDS), {"reason": reason}))) > 300


GAP_FIELDS = ("reason", "journal", "batch", "sequence", "readings_lost")


@pytest.mark.parametrize(
    "evidence", [(bytes(31),), (bytes(33),), ("0" * 32,), (bytes(32), b""), [bytes(32)], bytes(32), 7], ids=repr
)
def test_evidence_is_a_tuple_of_digests(evidence: Any) -> None:
    with pytest.raises(SchemaError, match="evidence: must be digests of 32 bytes"):
        encode_evidence(ROW, b"\xa0", evidence)


@pytest.mark.parametrize(("kind", "bytes_max"), [("fare.tap", 300), ("evidence.package", 3756)])
def test_evidence_takes_its_room_from_the_datas(kind: str, bytes_max: int) -> None:
    row = event_type(kind)
    for count in range(1, 120):
        evidence = (bytes(32),) * count
        size = len(cbor.encode({11: list(evidence)})) - 1
        if size > bytes_max:
            break
        assert len(encode_evidence(row, bytes(bytes_max - size), evidence)) == size
        with pytest.raises(SchemaError, match=f"evidence: is {size} bytes beside .* at most {bytes_max} together"):
            encode_evidence(row, bytes(bytes_max - size + 1), evidence)
    assert size > bytes_max


def test_text_without_utf8_is_not_encoded() -> None:
    with pytest.raises(SchemaError, match="surrogate"):
        encode_data(event_type("fare.tap"), {"direction": "in", "token": "\ud800"})


@pytest.mark.parametrize(("value", "signed"), [("5E+3", "5000"), ("-0.00", "0.00"), ("1.500", "1.500"), ("0E+3", "0")])
def test_what_is_signed_for_a_decimal_is_what_is_parsed(value: str, signed: str) -> None:
    registers = [{"obis": "1.8.0", "value": Decimal(value), "unit": "kWh"}]
    data = encode_data(ROW, {**METER_READING, "registers": registers})
    payload = PayloadEncoder(JOURNAL).encode(1, 1, Stamp(UTC_US, BOOT_ID, 1, SYNCED), ROW, data, 1)
    protected = cose.protected_header(Role.EVENT, GATEWAY_KEY.kid, {1: "demo/gw-1", 2: "meter-1"})
    event = parse_event(Envelope(protected, GATEWAY_KEY.sign).seal(payload))
    assert str(event.data["registers"][0]["value"]) == signed


@given(st.data())
def test_a_changed_statement_is_parsed_or_refused_with_a_typed_error(data: st.DataObject) -> None:
    raw = Plan().event()
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = (
        raw[:position] + data.draw(st.binary(min_size=1, max_size=4)) + raw[position + data.draw(st.integers(0, 4)) :]
    )
    try:
        event = parse_event(changed)
    except ProofError:
        return
    assert event.sequence >= 1
