"""An SNMP agent that has integers to read and nothing to write (RFC 1157; RFC 3416 for what SNMPv2c answers otherwise).

Messages become trees: a constructed element is (tag, list), a primitive one (tag, bytes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Node = tuple[int, "bytes | list[Node]"]

GET = 0xA0
_RESPONSE = 0xA2
_NO_SUCH_NAME = 2
_NO_SUCH_OBJECT = 0x80
_CONSTRUCTED = 0x20
_LONG_FORM = 0x80
_VERSION_2C = b"\x01"


class SnmpAgent:
    """Answers GETs with `community`. `read` gives the (tag, number) of an object's OID, or None if there is none.

    `requests` are the tags of all the PDUs that came with the right community, so that whoever asks can see that
    nothing but GETs did.
    """

    def __init__(self, community: bytes, read: Callable[[tuple[int, ...]], tuple[int, int] | None]) -> None:
        self._community = community
        self._read = read
        self.requests: list[int] = []

    def answer(self, datagram: bytes) -> bytes | None:
        """The answer to a datagram; None for what an agent keeps silent about."""
        nodes = _parse(datagram)
        match nodes:
            case [(0x30, [(0x02, version), (0x04, self._community), (tag, list(pdu))])]:
                self.requests.append(tag)
            case _:
                return None
        if tag != GET:
            return None
        match pdu:
            case [request_id, _, _, (0x30, list(bindings))]:
                status, index, answered = self._look_up(bindings, is_v2c=version == _VERSION_2C)
            case _:
                return None
        response: Node = (_RESPONSE, [request_id, (0x02, bytes([status])), (0x02, bytes([index])), (0x30, answered)])
        return _serialise((0x30, [(0x02, version), (0x04, self._community), response]))

    def _look_up(self, bindings: list[Node], *, is_v2c: bool) -> tuple[int, int, list[Node]]:
        answered: list[Node] = []
        for index, binding in enumerate(bindings, 1):
            match binding:
                case (0x30, [(0x06, bytes(name)), _]):
                    found = self._read(_arcs(name))
                case _:
                    found, name = None, b""
            if found is not None:
                value: Node = (found[0], _octets(found[1]))
            elif is_v2c:
                value = (_NO_SUCH_OBJECT, b"")
            else:
                # RFC 1157 section 4.1.2: the bindings come back as they were asked.
                return _NO_SUCH_NAME, index, bindings
            answered.append((0x30, [(0x06, name), value]))
        return 0, 0, answered


def _parse(data: bytes) -> list[Node] | None:
    """The elements that fill `data` exactly, or None."""
    nodes: list[Node] = []
    while data:
        if len(data) < 2:  # noqa: PLR2004 - a tag and a length
            return None
        tag, size, head = data[0], data[1], 2
        if size & _LONG_FORM:
            head += size & 0x7F
            size = int.from_bytes(data[2:head], "big")
        if len(data) < head + size:
            return None
        inside, data = data[head : head + size], data[head + size :]
        if tag & _CONSTRUCTED:
            children = _parse(inside)
            if children is None:
                return None
            nodes.append((tag, children))
        else:
            nodes.append((tag, inside))
    return nodes


def _serialise(node: Node) -> bytes:
    tag, inside = node
    body = inside if isinstance(inside, bytes) else b"".join(map(_serialise, inside))
    # Two length bytes wherever one is not enough, as agents with a fixed buffer write them.
    head = bytes([len(body)]) if len(body) < _LONG_FORM else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + head + body


def _arcs(name: bytes) -> tuple[int, ...]:
    arcs, value = [], 0
    for octet in name:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    return (*divmod(arcs[0], 40), *arcs[1:]) if arcs else ()


def _octets(number: int) -> bytes:
    """Two's complement in as few bytes as hold it: 128 needs two."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
