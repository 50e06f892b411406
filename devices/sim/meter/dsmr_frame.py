"""A simulated three-phase electricity meter by DSMR 5, with a gas meter on M-Bus channel 1."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

IDENTIFICATION = "/WSD5\\2SIMULATED-METER"
_WINTER_TIME = timezone(timedelta(hours=1))
_SUMMER_TIME = timezone(timedelta(hours=2))
_GAS_PERIOD = timedelta(minutes=5)
# The tens of C in OBIS codes of one phase (IEC 62056-6-1): of voltage and current, and of active power.
_PHASES, _POWER_PHASES = (3, 5, 7), (2, 4, 6)

Truth = list[dict[str, Any]]
"""The readings a gateway is to record of one frame: `meter.reading` data, values as decimal strings."""


def checksum(data: bytes) -> int:
    """CRC-16/ARC bit by bit, as the DSMR P1 companion standard 5.0.2 clause 6.2 words it."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


class DsmrFrames:
    """Registers that only rise, a load that moves at random.

    Without `summer_time` the clock stays on CET winter time all year.
    """

    def __init__(self, seed: int, *, summer_time: bool = False) -> None:
        self._summer_time = summer_time
        self._random = random.Random(seed)
        self.meter_id = f"E{seed:016d}".encode().hex().upper()
        self.gas_meter_id = f"G{seed:016d}".encode().hex().upper()
        self._imported_wh = [self._random.randrange(5_000_000) for _ in range(2)]
        self._exported_wh = [self._random.randrange(1_000_000) for _ in range(2)]
        self._gas_dm3 = self._random.randrange(2_000_000)
        self._messages = 0

    def frame(self, now: datetime) -> tuple[bytes, Truth]:
        """The next telegram at `now` (aware), and what it says."""
        load_w = self._random.randint(-3000, 9000)
        tariff = self._messages // 50 % 2
        self._messages += 1
        register = self._imported_wh if load_w >= 0 else self._exported_wh
        register[tariff] += self._random.randint(0, 3)
        self._gas_dm3 += self._random.randint(0, 1)
        energy = [
            ("1-0:1.8.1", self._imported_wh[0]),
            ("1-0:1.8.2", self._imported_wh[1]),
            ("1-0:2.8.1", self._exported_wh[0]),
            ("1-0:2.8.2", self._exported_wh[1]),
        ]
        captured = datetime.fromtimestamp(now.timestamp() // _GAS_PERIOD.seconds * _GAS_PERIOD.seconds, UTC)
        time, gas_time, gas = self._time(now), self._time(captured), _thousandths(self._gas_dm3)
        lines = [
            IDENTIFICATION,
            "",
            "1-3:0.2.8(50)",
            f"0-0:1.0.0({time})",
            f"0-0:96.1.1({self.meter_id})",
            *(f"{code}({_thousandths(count):0>10}*kWh)" for code, count in energy),
            f"0-0:96.14.0(000{tariff + 1})",
            f"1-0:1.7.0({_thousandths(max(load_w, 0)):0>6}*kW)",
            f"1-0:2.7.0({_thousandths(max(-load_w, 0)):0>6}*kW)",
            "0-0:96.7.21(00004)",
            "0-0:96.7.9(00002)",
            "1-0:99.97.0(1)(0-0:96.7.19)(190326095015W)(0000002014*s)",
            *(f"1-0:{phase}2.32.0(00002)" for phase in _PHASES),
            *(f"1-0:{phase}2.36.0(00000)" for phase in _PHASES),
            "0-0:96.13.0()",
            *(f"1-0:{phase}2.7.0(229.9*V)" for phase in _PHASES),
            *(f"1-0:{phase}1.7.0({abs(load_w) // 690:03d}*A)" for phase in _PHASES),
            *(f"1-0:{phase}1.7.0({_thousandths(max(load_w, 0) // 3):0>6}*kW)" for phase in _POWER_PHASES),
            *(f"1-0:{phase}2.7.0({_thousandths(max(-load_w, 0) // 3):0>6}*kW)" for phase in _POWER_PHASES),
            "0-1:24.1.0(003)",
            f"0-1:96.1.0({self.gas_meter_id})",
            f"0-1:24.2.1({gas_time})({gas:0>9}*m3)",
            "!",
        ]
        body = "\r\n".join(lines).encode("ascii")
        registers = [_register(code, _thousandths(count), "kWh") for code, count in energy]
        truth = [
            _reading(self.meter_id, time, registers),
            _reading(self.gas_meter_id, gas_time, [_register("0-1:24.2.1", gas, "m3")]),
        ]
        return body + b"%04X\r\n" % checksum(body), truth

    def _time(self, now: datetime) -> str:
        if self._summer_time and is_summer(now):
            return f"{now.astimezone(_SUMMER_TIME):%y%m%d%H%M%S}S"
        return f"{now.astimezone(_WINTER_TIME):%y%m%d%H%M%S}W"


def is_summer(now: datetime) -> bool:
    """Whether `now` (aware) lies in European summer time: from 01:00 UTC on the last Sunday of March to October's."""
    utc = now.astimezone(UTC)
    begin, end = (_last_sunday(utc.year, month) for month in (3, 10))
    return begin <= utc < end


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


def _thousandths(count: int) -> str:
    return f"{count // 1000}.{count % 1000:03d}"


def _register(obis: str, value: str, unit: str) -> dict[str, str]:
    return {"obis": obis, "value": value, "unit": unit}


def _reading(meter_id: str, time: str, registers: list[dict[str, str]]) -> dict[str, Any]:
    return {"meter_id": meter_id, "meter_time": time, "integrity": "crc", "registers": registers}
