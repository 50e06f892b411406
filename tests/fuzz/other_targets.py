"""Targets: fare readers, parking sensors, devices with lines of JSON, and the proof that a stranger hands over."""

from __future__ import annotations

import base64
import dataclasses
from types import SimpleNamespace
from typing import Any

from osdp import CardFormat, Event

from broker.url import parse_broker_url
from devices.driver import Origin
from devices.fare.card import Card, tap
from devices.fare.osdp_credential import Credential, parse_event
from devices.fare.pn532_frame import FrameParser, Short
from devices.fare.pn532_target import NoTargetError, is_random, parse_target_list
from devices.jsonl.line import LINE_BYTES_MAX, LineSplitter, RefusedLine, acknowledgement, parse_line, refusal
from devices.parking.chirpstack import ChirpStack, ChirpStackSettings
from devices.parking.sensor_payload import PayloadField
from devices.sim.fare.pn532_chip import Pn532Chip, information
from devices.sim.fare.tapping import FareValidator
from devices.sim.parking.chirpstack import ParkingSensorUplinks
from devices.sim.parking.terminal import ParkingSessions
from ledger_sync.proof.errors import RefusedError
from ledger_sync.proof.verify import verify
from tests.fuzz.seeds import NOW
from tests.fuzz.target import Subject, Target
from tests.support.city_of_proofs import TRUST, build


def _seal(plaintext: bytes) -> str:
    return base64.b64encode(b"\xff" * 48 + plaintext).decode("ascii")


class JsonLineSubject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> list[Any]:
        found = []
        for line in self._splitter.feed(data):
            value = line if isinstance(line, RefusedLine) else parse_line(line)
            if isinstance(value, RefusedLine):
                refusal(value)
            else:
                acknowledgement(value.id or "")
            found.append(value)
        return found

    def held(self) -> int:
        return len(self._splitter._line)


def _json_lines() -> list[bytes]:
    devices = (FareValidator(seed=1, run="a"), ParkingSessions(seed=1, run="b", now=lambda: NOW))
    lines = [device.say(0.0) for device in devices for _ in range(3)]
    return [
        *lines,
        b"".join(lines),
        b'{"id":"\\u00e9","type":"x.y","data":{"a":[1,{"b":null}],"c":"1.50","d":true}}\r\n',
    ]


class CardSubject(Subject):
    """First byte: a match result of OSDP, a card in one of its formats (second byte: its bits), or PN532's targets."""

    def feed(self, data: bytes) -> list[Any]:
        if len(data) < 2:
            return []
        kind, bits, told = data[0] % 5, data[1], data[2:]
        if kind == 0:
            return self._targets(told)
        if kind == 1:
            event: dict[str, Any] = {"event": Event.ManufacturerReply, "vendor_code": 1, "data": told}
        else:
            formats = (CardFormat.Unspecified, CardFormat.Wiegand, CardFormat.ASCII)
            event = {"event": Event.CardRead, "format": formats[kind - 2], "length": bits, "data": told}
        credential = parse_event(event, vendor_code=1)
        if not isinstance(credential, Credential):
            self.count_error(credential)
            return []
        details = {} if credential.bio is None else {"bio": credential.bio}
        return [tap(credential.card, _seal, "in", Origin.AUTHENTICATED_LINK, auth=credential.auth, details=details)]

    def _targets(self, told: bytes) -> list[Any]:
        try:
            uid = parse_target_list(told)
        except NoTargetError as error:
            self.count_error(error)
            return []
        if uid is None:
            return []
        return [is_random(uid), tap(Card("iso14443a", uid), _seal, "in", Origin.CHECKSUM)]


_CARDS = (
    b"\x00\x00" + bytes.fromhex("010100040804deadbeef"),
    b"\x00\x00" + bytes.fromhex("0101034420070411223344556606757781028000"),
    b"\x01\x00" + bytes.fromhex("010200c8011a00deadbec0"),
    b"\x02\x20\xde\xad\xbe\xef",
    b"\x03\x1a\xde\xad\xbe\xc0",
    b"\x04\x00card-12",
)


class Pn532Subject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._parser = FrameParser(self.counters)

    def feed(self, data: bytes) -> list[Any]:
        return self._parser.feed(data)

    def silence(self) -> list[Any]:
        self._parser.drop_unfinished()
        return []

    def held(self) -> int:
        return len(self._parser._buffer)


def _pn532_frames() -> list[bytes]:
    answers = [b"".join(Pn532Chip(card=bytes(range(size)), awake=True)._targets()) for size in (4, 7, 10)]
    acknowledgement_frame = b"\x00" + b"\x00\xff" + Short.ACK.value + b"\x00"
    return [*answers, acknowledgement_frame + answers[0], information(b"\x15"), bytes.fromhex("0000ff01ff7f8100")]


class ChirpStackSubject(Subject):
    """An uplink, read by a decoder of ours and by a table."""

    _TABLE = (
        PayloadField(fport=1, field="occupied", offset=0, mask=0x02),
        PayloadField(fport=1, field="battery_mv", offset=1, length=4, byte_order="little", scale=1_000_000, add=-1),
        PayloadField(fport=1, field="temperature_mdeg_c", offset=0, length=4, signed=True, scale=-1_000_000),
    )

    def __init__(self) -> None:
        super().__init__()
        url = parse_broker_url("mqtt://127.0.0.1")
        self._drivers = [
            ChirpStack("parking-1", settings)
            for settings in (
                ChirpStackSettings(url=url, bays={"70b3d50000000001": "A-17"}),
                ChirpStackSettings(url=url, decoder="table", decode=self._TABLE),
            )
        ]
        for driver in self._drivers:
            driver.counters = self.counters

    def feed(self, data: bytes) -> list[Any]:
        message: Any = SimpleNamespace(topic="application/a/device/b/event/up", payload=data)
        return [reading for driver in self._drivers if (reading := driver._reading(message)) is not None]


def _uplinks() -> list[bytes]:
    uplinks = ParkingSensorUplinks("A-17", seed=1)
    return [uplinks.message(NOW).payload for _ in range(8)]


class ProofSubject(Subject):
    def feed(self, data: bytes) -> list[Any]:
        try:
            proven = verify(data, TRUST)
        except RefusedError as error:
            self.count_error(error)
            return []
        return [dataclasses.replace(proven, data=dict(proven.data))]


def _proofs() -> list[bytes]:
    return [build().transparent, build(count=7, place=3, log_size=100, entry=42).transparent]


OTHERS = (
    Target(
        "jsonl",
        JsonLineSubject,
        _json_lines,
        lambda: FareValidator(seed=7, run="good").say(0.0),
        held_bytes_max=LINE_BYTES_MAX,
        all_recordable=False,  # a device may say what it likes: it is told that it is refused
        tokens=(
            b"\n",
            b'{"id":"1",',
            b'"type":"fare.tap"',
            b'"data":{',
            b"[" * 64,
            b'"id":',
            b"\\ud800",
            b"1.5",
            b"99999999999999999999",
        ),
    ),
    Target(
        "card",
        CardSubject,
        lambda: list(_CARDS),
        lambda: _CARDS[2],
        comes_in_pieces=False,
        tokens=(b"\x01\x01\x00", b"\x00" * 16, b"\x41", b"\xff\xff"),
    ),
    Target(
        "pn532",
        Pn532Subject,
        _pn532_frames,
        lambda: _pn532_frames()[0],
        held_bytes_max=260,
        tokens=(
            b"\x00\x00\xff",
            b"\x00\xff\x00\xff",
            b"\x00\xff\xff\x00",
            b"\x00\xff\xff\x01\xd5",
            b"\x7f\x81",
            b"\x00",
        ),
    ),
    Target(
        "chirpstack",
        ChirpStackSubject,
        _uplinks,
        lambda: _uplinks()[1],
        comes_in_pieces=False,
        tokens=(
            b'"fPort":1',
            b'"fPort":3',
            b'"data":"',
            b"=",
            b'"devEui":"',
            b'"fCnt":4294967295',
            b'"time":"',
            b"[" * 64,
        ),
    ),
    Target(
        "proof",
        ProofSubject,
        _proofs,
        lambda: _proofs()[0],
        comes_in_pieces=False,
        tokens=(
            b"\xd2\x84",
            b"\xa0",
            b"\x9f",
            b"\xff",
            b"\x81" * 32,
            b"\xc4\x82\x21\x01",
            b"\x18\x18",
            b"\x19\x01\x8a",
        ),
    ),
)
