"""Targets: meters that push frames, or whose answers are found in a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devices.driver import Origin
from devices.meter.crc16 import crc16_arc
from devices.meter.dlms_data import DlmsError
from devices.meter.dlms_hdlc import HdlcReader
from devices.meter.dlms_notification import parse_notification
from devices.meter.dsmr import Dsmr, DsmrSettings
from devices.meter.han import Han, HanSettings
from devices.meter.han_lists import meter_in
from devices.meter.iec62056_readout import Identification, IdentificationFinder, ReadoutFinder
from devices.meter.iec62056_readout import meter_in as readout_meter_in
from devices.meter.mbus_link import FrameFinder, Response
from devices.meter.mbus_registers import meter_of as mbus_meter_of
from devices.meter.mbus_telegram import MBusError, parse_telegram
from devices.meter.registers import RegisterFilter, meter_readings
from devices.meter.sml import Sml, SmlSettings
from devices.sim.meter.dsmr_frame import DsmrFrames
from devices.sim.meter.han_frame import HanFrames
from devices.sim.meter.iec62056 import Readouts
from devices.sim.meter.mbus_frame import ACK, MBusSlave
from devices.sim.meter.sml_frame import SmlFrames
from tests.fuzz.driving import ListeningSubject
from tests.fuzz.seeds import NOW, corpus
from tests.fuzz.target import Subject, Target

if TYPE_CHECKING:
    from devices.driver import Reading
    from devices.meter.registers import Meter

ALL = ("x.x.x",)
EVERY_REGISTER = RegisterFilter(ALL)


def readings_of(meter: Meter, integrity: str = "crc", origin: Origin = Origin.CHECKSUM) -> list[Reading]:
    return list(meter_readings(meter, EVERY_REGISTER, integrity, origin))


def _dsmr(*, crc_required: bool) -> Subject:
    settings = DsmrSettings(port="p1", registers=ALL, crc_required=crc_required)
    return ListeningSubject(Dsmr("meter-1", settings), lambda driver: len(driver._parser._buffer))


_OLD_GAS = (
    b"/KMP5 ZABF001587315111KMP\r\n\r\n0-0:96.1.1(205C4D246333034353537383234323121)\r\n1-0:1.8.1(00185.000*kWh)\r\n"
    b"0-1:24.3.0(121030140000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00024.123)\r\n0-1:24.1.0(03)\r\n!"
)


def _dsmr_seeds() -> list[bytes]:
    frames = DsmrFrames(seed=1)
    old = _OLD_GAS + b"%04X\r\n" % crc16_arc(_OLD_GAS)
    return [old] + [frames.frame(NOW)[0] for _ in range(3)] + corpus("meters/dsmr/*.txt")


def _dsmr_good() -> bytes:
    return DsmrFrames(seed=7).frame(NOW)[0]


def _without_crc(telegram: bytes) -> bytes:
    return telegram[: telegram.rindex(b"!") + 1] + b"\r\n"


_DSMR_TOKENS = (
    *(b"/ISK5\\2M550T-1012\r\n\r\n", b"\r\n!\r\n", b"\n!0000\r\n", b"\r\n(", b"0-1:24.3.0(", b"0-1:24.2.1("),
    *(b"1-0:1.8.1(000001.001*kWh)\r\n", b"0-1:96.1.0(", b"(121030140000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00.1)\r\n"),
)


def _sml() -> Subject:
    driver = Sml("meter-1", SmlSettings(port="head", registers=ALL))
    return ListeningSubject(driver, lambda driver: len(driver._transport._buffer))


def _sml_seeds() -> list[bytes]:
    frames = SmlFrames(seed=1)
    return [frames.frame(NOW)[0] for _ in range(3)] + [dump[:4096] for dump in corpus("meters/sml/*.bin")]


class MBusSubject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._finder = FrameFinder(self.counters)

    def feed(self, data: bytes) -> list[Any]:
        return [value for answer in self._finder.feed(data) for value in self._read(answer)]

    def silence(self) -> list[Any]:
        return [value for answer in self._finder.flush() for value in self._read(answer)]

    def held(self) -> int:
        return len(self._finder._buffer)

    def _read(self, answer: Any) -> list[Any]:
        if not isinstance(answer, Response):
            return [answer]
        try:
            telegram = parse_telegram(answer.control_information, answer.data)
        except MBusError as error:
            self.count_error(error)
            return []
        return [telegram, *readings_of(mbus_meter_of([telegram], self.counters))]


def mbus_frames() -> list[bytes]:
    """The answers of simulated meters of each medium, and real ones."""
    found = []
    for medium in MBusSlave.MEDIA:
        slave = MBusSlave(seed=1, address=1, medium=medium)
        answer = slave.answer(bytes.fromhex("107b017c16"), NOW)
        assert answer is not None
        found.append(answer.frame)
    return found + [bytes.fromhex(text.decode()) for text in corpus("meters/mbus/*.hex")]


def _han() -> Subject:
    driver = Han("meter-1", HanSettings(port="han", registers=ALL))
    return ListeningSubject(driver, lambda driver: len(driver._frames._buffer) + len(driver._frames._segments))


class HanMessageSubject(Subject):
    """The information of a frame, past the frame's checks."""

    def feed(self, data: bytes) -> list[Any]:
        try:
            notification = parse_notification(data)
            return [notification, *readings_of(meter_in(notification, "last-1", self.counters))]
        except DlmsError as error:
            self.count_error(error)
            return []


def _han_seeds() -> list[bytes]:
    makers = [HanFrames(seed=1, maker=maker) for maker in HanFrames.MAKERS]
    return [frames.frame(NOW)[0] for frames in makers for _ in range(4)]


_NOTIFICATION = bytes.fromhex("e6e7000f40000000000101")
_LINE = bytes.fromhex("020309060100010700ff")
_VALUES = (
    *("177f7fffff", "1700000001", "177fc00000", "183ff8000000000000", "187fefffffffffffff", "140000000000000001"),
    *(
        "1580000000000000ff",
        "0301",
        "0509060708",
        "0fff",
        "10fffe",
        "110a",
        "12ffff",
        "0a0141",
        "0c02c3a9",
        "161b",
        "00",
    ),
    *("1907ea0b17010c2238ff800000", "1a07ea0b1701", "1b0c2238ff", "010102020f011200ff"),
)


def _han_messages() -> list[bytes]:
    """The simulators' lists, and one with each type of data; their scalers are -3 and 3."""
    typed = [
        _NOTIFICATION + _LINE + bytes.fromhex(f"{value}02020f{'fd' if at % 2 else '03'}161b")
        for at, value in enumerate(_VALUES)
    ]
    return typed + [message for frame in _han_seeds() for message in HdlcReader(Subject().counters).feed(frame)]


class Iec62056Subject(Subject):
    """Identification and readouts are looked for in the same bytes; the driver asks for one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._identifications = IdentificationFinder()
        self._readouts = ReadoutFinder(self.counters)
        self._identification: Identification | None = None

    def feed(self, data: bytes) -> list[Any]:
        self._identification = self._identification or self._identifications.feed(data)
        return [
            reading
            for readout in self._readouts.feed(data)
            for reading in readings_of(readout_meter_in(_MT174, readout, self.counters))
        ]

    def silence(self) -> list[Any]:
        found = self._identification
        return [] if found is None else [found, found.acknowledged_baudrate(), found.own_baudrate()]

    def held(self) -> int:
        return len(self._identifications._buffer) + len(self._readouts._buffer)


class Iec62056LinesSubject(Iec62056Subject):
    """The lines of a readout, past its block check."""

    def held(self) -> int:
        return 0  # not of what was fed

    def feed(self, data: bytes) -> list[Any]:
        body = data.replace(b"\x02", b"").replace(b"\x03", b"") + b"\r\n!\r\n\x03"
        check = 0
        for byte in body:
            check ^= byte
        return super().feed(b"\x02" + body + bytes((check,)))


_MT174 = Identification("ISK", "5", "MT174-0001")


def _iec62056_seeds() -> list[bytes]:
    readouts = [Readouts(seed=1, short_codes=short).readout(NOW)[0] for short in (False, True)]
    return [b"/?!\r\n/ISK5MT174-0001\r\n" + readout for readout in readouts] + readouts


def _iec62056_lines() -> list[bytes]:
    return [readout[readout.index(b"\x02") + 1 : readout.rindex(b"!")] for readout in _iec62056_seeds()]


_OBIS_LINES = (
    b"1-0:1.8.0(0001.234*kWh)\r\n",
    b"0.9.2(261122)",
    b"C.1.0(",
    b"*01(",
    b"&12(",
    b"(?)",
    b"*255(",
    b"96.1.0",
)

STREAMS = (
    Target(
        "dsmr", lambda: _dsmr(crc_required=True), _dsmr_seeds, _dsmr_good, held_bytes_max=20_480, tokens=_DSMR_TOKENS
    ),
    Target(
        "dsmr-lines",
        lambda: _dsmr(crc_required=False),
        lambda: [_without_crc(one) for one in _dsmr_seeds()],
        lambda: _without_crc(_dsmr_good()),
        held_bytes_max=20_480,
        tokens=_DSMR_TOKENS,
    ),
    Target(
        "sml",
        _sml,
        _sml_seeds,
        lambda: SmlFrames(seed=7).frame(NOW)[0],
        held_bytes_max=12_288,
        tokens=(b"\x1b\x1b\x1b\x1b", b"\x01\x01\x01\x01", b"\x1b\x1b\x1b\x1b\x1a\x00", b"\x76\x05"),
    ),
    Target(
        "mbus",
        MBusSubject,
        mbus_frames,
        lambda: mbus_frames()[0],
        held_bytes_max=261,
        tokens=(ACK, b"\x10\x5b\x01\x5c\x16", b"\x68\x03\x03\x68", b"\x68\xff\xff\x68\x08\x01\x72", b"\x16"),
    ),
    Target(
        "han",
        _han,
        _han_seeds,
        lambda: HanFrames(seed=7).frame(NOW)[0],
        held_bytes_max=3072 + 8192,
        tokens=(b"\x7e", b"\x7e\xa0", b"\x7e\xa8", b"\x7e\xa7\xff", b"\x41\x08\x83\x13", b"\xe6\xe7\x00\x0f"),
    ),
    Target(
        "han-notification",
        HanMessageSubject,
        _han_messages,
        lambda: _han_messages()[-1],
        comes_in_pieces=False,
        tokens=(
            b"\x02\x02\x0f\xfd\x16\x1e",
            b"\x01\xff",
            b"\x01\x81\xff",
            b"\x02\x03",
            b"\x09\x06",
            b"\x17\x7f\x7f\xff\xff",
        ),
    ),
    Target(
        "iec62056",
        Iec62056Subject,
        _iec62056_seeds,
        lambda: Readouts(seed=7, short_codes=False).readout(NOW)[0],
        held_bytes_max=32_768 + 512,
        tokens=(b"\x02", b"!\r\n\x03", b"/ISK5\\2MT174\r\n", *_OBIS_LINES),
    ),
    Target(
        "iec62056-lines",
        Iec62056LinesSubject,
        _iec62056_lines,
        lambda: b"0.0.0(1)\r\n1-0:1.8.0(0001.234*kWh)\r\n",
        comes_in_pieces=False,
        tokens=_OBIS_LINES,
    ),
)
