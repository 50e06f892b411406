"""Targets: what meters say in whole messages, past the checksums of what carried them; and Modbus."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

from devices.driver import Origin
from devices.meter.mbus_link import Response
from devices.meter.mbus_telegram import VARIABLE_CI
from devices.meter.modbus import Modbus, ModbusSettings
from devices.meter.modbus_frame import AnswerFinder, RegisterRead, rtu_request, with_crc
from devices.meter.modbus_sniffer import ReadSniffer
from devices.meter.modbus_table import MODELS, load_model
from devices.meter.mqtt_formats import Field
from devices.meter.mqtt_message import configured, meters_in, shelly, tasmota, zigbee2mqtt
from devices.meter.registers import Meter
from devices.meter.sml import meter_of
from devices.meter.sml_file import parse_file
from devices.meter.sml_transport import SmlTransport
from devices.sim.meter.modbus_registers import MeterRegisters
from devices.sim.meter.modbus_wire import crc16
from devices.sim.meter.mqtt import MqttMeterMessages
from devices.sim.meter.sml_frame import SmlFrames
from tests.fuzz.meter_streams import EVERY_REGISTER, MBusSubject, mbus_frames, readings_of
from tests.fuzz.seeds import NOW, corpus
from tests.fuzz.target import Subject, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNIT = 1
_READ = RegisterRead(4, 0x34, 22)
_SERIAL = RegisterRead(3, 0xFC00, 2)


class SmlFileSubject(Subject):
    """A file, past the checksums of the frame and of its messages."""

    def feed(self, data: bytes) -> list[Any]:
        with mock.patch("devices.meter.sml_file.checksum_fits", return_value=True):
            lists = parse_file(data, self.counters)
        return [value for one in lists for value in (one, *readings_of(meter_of(one, EVERY_REGISTER, self.counters)))]


def _sml_files() -> list[bytes]:
    frames = SmlFrames(seed=1)
    whole = [frames.frame(NOW)[0], *corpus("meters/sml/*.bin")]
    return [file for stream in whole for file in SmlTransport(Subject().counters).feed(stream)[:3]]


class MBusTelegramSubject(MBusSubject):
    """First byte: the control information field; the rest is user data."""

    def feed(self, data: bytes) -> list[Any]:
        return self._read(Response(1, data[0], data[1:])) if data else []


_MBUS_RECORDS = (
    *(
        "07833cffffffffffffff7f",
        "0506ffff7f7f",
        "0d06ca00",
        "0dfd0cc0",
        "0d06e80102030405060708",
        "0d06d1990d06f100000000",
    ),
    *(
        "04fdfd7f01000000",
        "0e867dfd7d999999999999",
        "047c0001020304",
        "04fc0341424306010203040506",
        "0c06000000f0",
        "3f00",
    ),
    *("84808080808080808080400601020304", "05877b00000080", "026cffff", "026c0000", "046d00000000", "066d000000000000"),
    *(
        "036c010203",
        "01fd17ff",
        "0f0102",
        "1f",
        "2f2f",
        "04867d0100000004ff7f0100",
        "048675010000000a867801000a86790100",
        "8d01",
    ),
)


def _mbus_messages() -> list[bytes]:
    found = [bytes((VARIABLE_CI,)) + frame[7:-2] for frame in mbus_frames()]
    head = bytes((VARIABLE_CI,)) + bytes.fromhex("123456781234010201000000")
    found += [head + bytes.fromhex(record) for record in _MBUS_RECORDS]
    return [*found, bytes.fromhex("7312345678 01 00 e9 7e 01 00 00 00 35 01 00 00".replace(" ", "")), b"\x70\x08"]


class ModbusAnswerSubject(Subject):
    """The finders of one read's answer, on a serial line and over TCP; after silence another read is made."""

    def __init__(self) -> None:
        super().__init__()
        self._begin()

    def _begin(self) -> None:
        self._finders = [AnswerFinder(_UNIT, _READ), AnswerFinder(_UNIT, _READ, transaction=7)]

    def feed(self, data: bytes) -> list[Any]:
        found = []
        for finder in list(self._finders):
            if (value := finder.feed(data)) is not None:
                found.append(value)
                self._finders.remove(finder)
                if not 0 <= finder.noise <= finder.received:
                    raise AssertionError(f"{finder.noise} bytes of noise among {finder.received}")
        return found

    def silence(self) -> list[Any]:
        self._begin()
        return []

    def held(self) -> int:
        return max((len(finder._buffer) for finder in self._finders), default=0)


def _exchanges() -> Iterator[tuple[bytes, bytes]]:
    """Reads and their answers on a serial line."""
    for read in (_READ, _SERIAL):
        registers = MeterRegisters("sdm630", seed=1).read(read.function, read.address, read.count)
        assert isinstance(registers, bytes)
        answer = bytes((_UNIT, read.function, len(registers))) + registers
        yield rtu_request(_UNIT, read), answer + crc16(answer)


def _answers() -> list[bytes]:
    answers = [answer for _, answer in _exchanges()]
    tcp = b"\x00\x07\x00\x00" + (len(answers[0]) - 2).to_bytes(2, "big") + answers[0][:-2]
    return [*answers, tcp, with_crc(b"\x01\x84\x02"), b"\x00\x07\x00\x00\x00\x03\x01\x84\x0b"]


class ModbusSnifferSubject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._sniffer = ReadSniffer(_UNIT, self.counters)

    def feed(self, data: bytes) -> list[Any]:
        return self._sniffer.feed(data)

    def held(self) -> int:
        return len(self._sniffer._buffer)


def _overheard() -> list[bytes]:
    pairs = [request + answer for request, answer in _exchanges()]
    return [*pairs, b"".join(pairs), pairs[0][:8] + with_crc(b"\x01\x84\x02"), rtu_request(2, _READ) + pairs[1]]


_table = cache(load_model)


class ModbusRegistersSubject(Subject):
    """First byte: which model; the rest fills its registers one after the other."""

    def feed(self, data: bytes) -> list[Any]:
        if not data:
            return []
        driver = Modbus("meter-1", ModbusSettings(port="tcp://127.0.0.1:502", unit=1, model="sdm630"))
        driver.counters = self.counters
        table = _table(MODELS[data[0] % len(MODELS)])
        driver._registers = table.register
        values, position = {}, 1
        for one in table.register:
            size = 2 * one.read.count
            values[one] = data[position : position + size].ljust(size, b"\0")
            position += size
        assert table.serial is not None
        serial = table.serial.text(data[-2 * table.serial.count :])
        return readings_of(Meter(serial or "unknown", None, driver._measured(values)))


def _register_bytes() -> list[bytes]:
    floats = b"".join(struct.pack(">f", value) for value in (230.1, -5.25, 0.0, 1e9, 3.4e38))
    return [bytes((model,)) + floats * 2 for model in range(len(MODELS))]


class MqttMeterSubject(Subject):
    """A topic, a newline, a payload; read in each of the formats."""

    _READERS = (
        tasmota,
        shelly,
        zigbee2mqtt,
        configured(
            (Field(("energy",), "1-0:1.8.0", "kWh"), Field(("a", "0", "b"), "1-0:2.8.0", "kWh")), ("last_seen",)
        ),
    )

    def feed(self, data: bytes) -> list[Any]:
        topic, _, payload = data.partition(b"\n")
        found = []
        for reader in self._READERS:
            try:
                meters = meters_in(reader, topic.decode("utf-8", "replace"), payload, self.counters)
            except ValueError as error:
                self.count_error(error)
            else:
                found += [one for meter in meters for one in readings_of(meter, "none", Origin.UNPROTECTED)]
        return found


def _mqtt_messages() -> list[bytes]:
    forms = [MqttMeterMessages("meter-1", 1, form).message(NOW) for form in ("tasmota", "shelly", "zigbee2mqtt")]
    status = b'shellyplus-1/status/switch:0\n{"id":0,"apower":1.5,"voltage":230.1,"aenergy":{"total":12.25}}'
    return [message.topic.encode() + b"\n" + message.payload for message in forms] + [
        status,
        b'stat/m/STATUS10\n{"StatusSNS":{"Time":"2026-11-23T12:00:00","ENERGY":{"Total":1.5,"Power":[1,2,3]}}}',
        b'plant/1\n{"energy":1e3,"a":[{"b":12.50}],"last_seen":1763900000.25}',
    ]


MESSAGES = (
    Target(
        "sml-file",
        SmlFileSubject,
        _sml_files,
        lambda: _sml_files()[0],
        comes_in_pieces=False,
        tokens=(
            b"\x77\x07\x01\x00\x01\x08\x00\xff",
            b"\x76",
            b"\x77",
            b"\x72\x63\x07\x01",
            b"\x52\x7f",
            b"\x59" + b"\xff" * 8,
        ),
    ),
    Target(
        "mbus-telegram",
        MBusTelegramSubject,
        _mbus_messages,
        lambda: _mbus_messages()[0],
        comes_in_pieces=False,
        tokens=(
            b"\x0d\x78",
            b"\x05\x06\x7f\x7f\xff\xff",
            b"\x7c\x03",
            b"\xfb",
            b"\xfd\xfd",
            b"\xff\x7d",
            b"\x04\x6d",
            b"\x07\x06",
        ),
    ),
    Target(
        "modbus-answer",
        ModbusAnswerSubject,
        _answers,
        lambda: _answers()[0],
        held_bytes_max=520,
        reads_alike_in_pieces=False,  # what follows the answer in the same piece is nobody's
        tokens=(b"\x01\x04\x2c", b"\x01\x84", b"\x00\x07\x00\x00\x00\x2f\x01\x04\x2c"),
    ),
    Target(
        "modbus-sniffer",
        ModbusSnifferSubject,
        _overheard,
        lambda: _overheard()[0],
        held_bytes_max=1024,
        tokens=(*_overheard(), with_crc(b"\x01\x84\x02"), rtu_request(_UNIT, _READ), b"\x01\x04\x2c", b"\x00"),
    ),
    Target(
        "modbus-registers",
        ModbusRegistersSubject,
        _register_bytes,
        lambda: _register_bytes()[0],
        comes_in_pieces=False,
        tokens=(
            b"\x7f\x80\x00\x00",
            b"\x7f\xc0\x00\x00",
            b"\x7f\x7f\xff\xff",
            b"\x80\x00\x00\x00",
            b"\xff" * 8,
            b"\x00\x00\x00\x01",
        ),
    ),
    Target(
        "mqtt-meter",
        MqttMeterSubject,
        _mqtt_messages,
        lambda: _mqtt_messages()[0],
        comes_in_pieces=False,
        tokens=(
            b'"ENERGY":{"Total":',
            b'"em:0":',
            b'"emdata:255":',
            b"/events/rpc",
            b'"method":"NotifyStatus"',
            b"[" * 64,
        ),
    ),
)
