from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.signal.ntcip_snmp import (
    DATAGRAM_BYTES_MAX,
    FIRST_REQUEST_ID,
    INTEGER,
    LAST_REQUEST_ID,
    MISSING,
    TIME_TICKS,
    Answer,
    GetRequest,
    Malformed,
    decode_answer,
    encoded_oid,
)
from tests.devices.signal.snmp_library import read_request, write_answer

GREENS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.4.1"
UP_TIME = "1.3.6.1.2.1.1.3.0"

NUMBER = b"\x02\x01\x00"


def element(tag: int, *inside: bytes) -> bytes:
    return bytes([tag, sum(map(len, inside))]) + b"".join(inside)


arcs = st.lists(st.integers(0, (1 << 32) - 1), max_size=12).map(lambda rest: ".".join(map(str, (1, 3, 6, *rest))))
versions = st.sampled_from(["1", "2c"])


@given(versions, st.binary(min_size=1, max_size=64), st.lists(arcs, max_size=30), st.integers(0, 1 << 30))
def test_whatever_is_asked_is_a_get_to_another_implementation(
    version: str, community: bytes, oids: list[str], offset: int
) -> None:
    request_id = min(FIRST_REQUEST_ID + offset, LAST_REQUEST_ID)
    datagram = GetRequest(version, community, tuple(map(encoded_oid, oids))).encode(request_id)
    assert read_request(datagram) == (version, community, "GetRequestPDU", request_id, oids)


@given(versions, st.dictionaries(arcs, st.integers(-(1 << 31), (1 << 31) - 1), max_size=30), st.integers(1, 1 << 30))
def test_an_answer_of_another_implementation_is_read(version: str, objects: dict[str, int], request_id: int) -> None:
    objects = {oid: value for oid, value in objects.items() if not oid.startswith("1.3.6.1.2.1.1.3")}
    answer = decode_answer(write_answer(version, request_id, list(objects.items())))
    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.error_status) == (request_id, 0)
    found = {one.oid: (one.tag, one.number) for one in answer.variables}
    assert found == {encoded_oid(oid): (INTEGER, value) for oid, value in objects.items()}


def test_a_time_is_unsigned() -> None:
    answer = decode_answer(write_answer("1", 5, [(UP_TIME, (1 << 32) - 1)]))
    assert isinstance(answer, Answer)
    assert (answer.variables[0].tag, answer.variables[0].number) == (TIME_TICKS, (1 << 32) - 1)


def test_version_1_names_the_missing_object_by_its_place_and_version_2c_marks_it() -> None:
    failed = decode_answer(write_answer("1", 5, [(UP_TIME, "Null"), (GREENS, "Null")], error=2, index=2))
    assert isinstance(failed, Answer)
    assert (failed.error_status, failed.error_index) == (2, 2)
    for mark in ("NoSuchObject", "NoSuchInstance", "EndOfMibView"):
        marked = decode_answer(write_answer("2c", 5, [(UP_TIME, 7), (GREENS, mark)]))
        assert isinstance(marked, Answer)
        assert [one.tag in MISSING for one in marked.variables] == [False, True]


def test_lengths_that_are_longer_than_need_be_are_read_as_agents_write_them() -> None:
    plain = write_answer("1", 5, [(UP_TIME, 7)])
    assert plain[0] == 0x30
    for length in (b"\x81", b"\x82\x00", b"\x84\x00\x00\x00"):
        assert decode_answer(b"\x30" + length + plain[1:]) == decode_answer(plain)


def test_what_is_no_answer_says_why() -> None:
    request = GetRequest("1", b"public", (encoded_oid(GREENS),)).encode(FIRST_REQUEST_ID)
    good = write_answer("1", 5, [(GREENS, 7)])
    cases = {
        b"": "ends within",
        request: "tag 0xa0, not 0xa2",
        good[:-1]: "ends within",
        good + b"\x00": "something follows",
        b"\x30\x80" + good[2:] + b"\x00\x00": "indefinite",
        good.replace(b"\x02\x01\x00\x04", b"\x02\x01\x03\x04"): "neither SNMPv1 nor SNMPv2c",
        element(0x30, NUMBER, element(0x04), element(0xA2, element(0x02))): "a number has 0 bytes",
        b"\x30" * (DATAGRAM_BYTES_MAX + 1): "longer than",
    }
    for datagram, why in cases.items():
        malformed = decode_answer(datagram)
        assert isinstance(malformed, Malformed), datagram
        assert why in malformed.why


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer_or_why_they_are_none(datagram: bytes) -> None:
    assert isinstance(decode_answer(datagram), Answer | Malformed)


@given(st.data())
def test_a_damaged_answer_gives_an_answer_or_why_it_is_none(data: st.DataObject) -> None:
    datagram = bytearray(write_answer("2c", 77, [(UP_TIME, 123456), (GREENS, 170)]))
    for _ in range(data.draw(st.integers(1, 4))):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    answer = decode_answer(bytes(datagram[: data.draw(st.integers(0, len(datagram)))]))
    assert isinstance(answer, Answer | Malformed)
    if isinstance(answer, Answer):
        assert all(one.number is None or abs(one.number) < 1 << 40 for one in answer.variables)
