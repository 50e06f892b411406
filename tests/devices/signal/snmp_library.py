"""An SNMP agent made of pysnmp's messages: a second opinion on what the `ntcip` driver sends and understands."""

from __future__ import annotations

import asyncio
from typing import Any

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped] # it ships no types
from pysnmp.proto import api

VERSIONS = {"1": api.SNMP_VERSION_1, "2c": api.SNMP_VERSION_2C}


def read_request(datagram: bytes) -> tuple[str, bytes, str, int, list[str]]:
    """Version, community, class of the PDU, request id and the OIDs asked for."""
    number = int(api.decodeMessageVersion(datagram))
    module = api.PROTOCOL_MODULES[number]
    message, rest = decoder.decode(datagram, asn1Spec=module.Message())
    assert not rest
    pdu = module.apiMessage.get_pdu(message)
    version = next(name for name, one in VERSIONS.items() if one == number)
    oids = [str(name) for name, _ in module.apiPDU.get_varbinds(pdu)]
    community = bytes(module.apiMessage.get_community(message))
    return version, community, type(pdu).__name__, int(module.apiPDU.get_request_id(pdu)), oids


def write_answer(
    version: str, request_id: int, variables: list[tuple[str, Any]], *, error: int = 0, index: int = 0
) -> bytes:
    """A response. A value is a number, or the name of a class of the version's module, such as "NoSuchInstance"."""
    module = api.PROTOCOL_MODULES[VERSIONS[version]]
    pdu = module.GetResponsePDU()
    module.apiPDU.set_defaults(pdu)
    module.apiPDU.set_request_id(pdu, request_id)
    values = []
    for oid, value in variables:
        if isinstance(value, str):
            encoded = getattr(module, value)("")
        elif oid.startswith("1.3.6.1.2.1.1.3"):
            encoded = module.TimeTicks(value)
        else:
            encoded = module.Integer(value)
        values.append((oid, encoded))
    module.apiPDU.set_varbinds(pdu, values)
    if error:
        module.apiPDU.set_error_status(pdu, error)
        module.apiPDU.set_error_index(pdu, index)
    message = module.Message()
    module.apiMessage.set_defaults(message)
    module.apiMessage.set_community(message, "public")
    module.apiMessage.set_pdu(message, pdu)
    written: bytes = encoder.encode(message)
    return written


class LibraryAgent(asyncio.DatagramProtocol):
    """Answers from `objects`; keeps every datagram that came. What is not in `objects` is missing, as its version says.

    `silent`: how many of the next requests get no answer; `replies`: datagrams to send instead of the next answers;
    `late_s`: how long an answer, made at once, is on its way.
    """

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.received: list[bytes] = []
        self.silent = 0
        self.late_s = 0.0
        self.replies: list[bytes] = []
        self.url = ""
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self.url = f"udp://127.0.0.1:{transport.get_extra_info('sockname')[1]}"

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert self._transport is not None
        self.received.append(data)
        if self.silent:
            self.silent -= 1
        elif self.replies:
            self._transport.sendto(self.replies.pop(0), address)
        else:
            asyncio.get_running_loop().call_later(self.late_s, self._transport.sendto, self.answer(data), address)

    def answer(self, datagram: bytes) -> bytes:
        version, _, _, request_id, oids = read_request(datagram)
        missing = [index for index, oid in enumerate(oids, 1) if oid not in self.objects]
        if missing and version == "1":
            return write_answer(version, request_id, [(oid, "Null") for oid in oids], error=2, index=missing[0])
        return write_answer(version, request_id, [(oid, self.objects.get(oid, "NoSuchInstance")) for oid in oids])
