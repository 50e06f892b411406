"""SNMP's GetRequest and its answer, and nothing else of SNMP: no other request can be made here.

Messages: RFC 1157 section 4 (SNMPv1) and RFC 3416 section 3 (SNMPv2c, RFC 1901). Encoding: BER of ITU-T X.690 as
RFC 3417 section 8 narrows it: definite lengths, primitive values. Lengths may be longer than need be: agents write so.
"""

from __future__ import annotations

from dataclasses import dataclass

DATAGRAM_BYTES_MAX = 4096
FIRST_REQUEST_ID, LAST_REQUEST_ID = 0x01000000, 0x7FFFFFFF

INTEGER, TIME_TICKS = 0x02, 0x43
# noSuchObject, noSuchInstance, endOfMibView (RFC 3416 section 3): SNMPv2c marks the one object that is missing.
MISSING = frozenset({0x80, 0x81, 0x82})
TOO_BIG, NO_SUCH_NAME = 1, 2

_OCTET_STRING, _NULL, _OBJECT_IDENTIFIER, _SEQUENCE = 0x04, 0x05, 0x06, 0x30
_GET_REQUEST, _RESPONSE = 0xA0, 0xA2
_VERSIONS = {"1": 0, "2c": 1}
_UNSIGNED = frozenset({0x41, 0x42, TIME_TICKS})
_INTEGER_BYTES_MAX = 5
_LONG_LENGTH_BYTES_MAX = 4


@dataclass(frozen=True, slots=True)
class Variable:
    """One object of an answer: its encoded name, the tag of its value, and the value if that is a number."""

    oid: bytes
    tag: int
    number: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response PDU. `error_index` counts its variables from 1; it is 0 where none is meant."""

    request_id: int
    error_status: int
    error_index: int
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A datagram that is no answer, and why; quotes nothing of it."""

    why: str


def encoded_oid(dotted: str) -> bytes:
    """The contents of an OBJECT IDENTIFIER (X.690 clause 8.19) such as "1.3.6.1"."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        octets += bytes(reversed(groups))
    return bytes(octets)


class GetRequest:
    """GETs of the same objects, over and over: only the request's id differs.

    `version` is "1" or "2c"; `oids` are encoded.
    """

    def __init__(self, version: str, community: bytes, oids: tuple[bytes, ...]) -> None:
        self.oids = oids
        self._before = _element(INTEGER, bytes([_VERSIONS[version]])) + _element(_OCTET_STRING, community)
        nothing = _element(_NULL, b"")
        names = b"".join(_element(_SEQUENCE, _element(_OBJECT_IDENTIFIER, oid) + nothing) for oid in oids)
        no_error = _element(INTEGER, b"\x00")
        self._after = no_error + no_error + _element(_SEQUENCE, names)

    def encode(self, request_id: int) -> bytes:
        """The datagram; `request_id` from FIRST_REQUEST_ID to LAST_REQUEST_ID."""
        pdu = _element(INTEGER, request_id.to_bytes(4, "big")) + self._after
        return _element(_SEQUENCE, self._before + _element(_GET_REQUEST, pdu))


def decode_answer(datagram: bytes) -> Answer | Malformed:
    """What an agent answered; any bytes whatever give one or the other."""
    if len(datagram) > DATAGRAM_BYTES_MAX:
        return Malformed(f"it is longer than {DATAGRAM_BYTES_MAX} bytes")
    try:
        return _answer(_Elements(datagram))
    except _NotBerError as error:
        return Malformed(str(error))


def _element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:  # noqa: PLR2004 - X.690 clause 8.1.3.4: the short form of a length has seven bits
        return bytes([tag, size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + contents


class _NotBerError(Exception):
    """The bytes are not what the grammar wants; the message says what it wanted."""


class _Elements:
    """The elements of one constructed value, taken one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def ended(self) -> bool:
        return self._position == len(self._data)

    def take(self) -> tuple[int, bytes]:
        """The next element's tag and contents."""
        data, start = self._data, self._position + 2
        if start > len(data):
            raise _NotBerError("it ends within an element")
        tag, size = data[start - 2], data[start - 1]
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= _LONG_LENGTH_BYTES_MAX:
                raise _NotBerError("an element's length is indefinite or too long")
            size = int.from_bytes(data[start : start + count], "big")
            start += count
        if start + size > len(data):
            raise _NotBerError("it ends within an element")
        self._position = start + size
        return tag, data[start : start + size]

    def expect(self, tag: int) -> bytes:
        """The contents of the next element, which has this tag."""
        found, contents = self.take()
        if found != tag:
            raise _NotBerError(f"an element has the tag {found:#04x}, not {tag:#04x}")
        return contents

    def integer(self) -> int:
        """The next element, an INTEGER."""
        return _number(INTEGER, self.expect(INTEGER))

    def end(self) -> None:
        """Nothing follows."""
        if not self.ended:
            raise _NotBerError("something follows where it should end")


def _answer(message: _Elements) -> Answer:
    inside = _Elements(message.expect(_SEQUENCE))
    message.end()
    if inside.integer() not in _VERSIONS.values():
        raise _NotBerError("it is neither SNMPv1 nor SNMPv2c")
    inside.expect(_OCTET_STRING)
    pdu = _Elements(inside.expect(_RESPONSE))
    inside.end()
    request_id, error_status, error_index = pdu.integer(), pdu.integer(), pdu.integer()
    listed = _Elements(pdu.expect(_SEQUENCE))
    pdu.end()
    variables = []
    while not listed.ended:
        variables.append(_variable(_Elements(listed.expect(_SEQUENCE))))
    return Answer(request_id, error_status, error_index, tuple(variables))


def _variable(pair: _Elements) -> Variable:
    oid = pair.expect(_OBJECT_IDENTIFIER)
    tag, contents = pair.take()
    pair.end()
    is_number = tag == INTEGER or tag in _UNSIGNED
    return Variable(oid, tag, _number(tag, contents) if is_number else None)


def _number(tag: int, contents: bytes) -> int:
    if not 0 < len(contents) <= _INTEGER_BYTES_MAX:
        raise _NotBerError(f"a number has {len(contents)} bytes")
    return int.from_bytes(contents, "big", signed=tag not in _UNSIGNED)
