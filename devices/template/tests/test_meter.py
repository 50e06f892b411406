"""The contract that every driver keeps, and what an Acme meter's telegrams must become."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from operator import xor

import pytest
from acme_wayside.meter import AcmeMeter, AcmeSettings
from acme_wayside.telegram import TELEGRAM_BYTES_MAX, AcmeParser

from devices.contract.suite import DriverContract
from devices.driver import Driver, WireCounters


def telegram(energy_wh: int = 1_234_567, power_w: int = -42) -> bytes:
    body = b"ACME,4711,%d,%d" % (energy_wh, power_w)
    return b"$" + body + b"*%02X\r\n" % reduce(xor, body)


class TestAcmeMeter(DriverContract):
    def make(self, port: str) -> Driver:
        return AcmeMeter("meter-1", AcmeSettings(port))

    def frame(self) -> bytes:
        return telegram()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_telegrams_are_read_in_pieces_of_any_size(size: int) -> None:
    data, parser = telegram(1) + telegram(2), AcmeParser(WireCounters())
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    read = [one.energy_wh for piece in pieces for one in parser.feed(piece)]
    assert read == [Decimal(1), Decimal(2)]


def test_a_telegram_with_a_wrong_checksum_is_counted_and_not_read() -> None:
    counters = WireCounters()
    assert list(AcmeParser(counters).feed(telegram().replace(b"4711", b"4712"))) == []
    assert counters.errors == 1


def test_a_flood_without_an_end_is_dropped() -> None:
    counters = WireCounters()
    assert list(AcmeParser(counters).feed(b"x" * 100_000)) == []
    assert counters.bytes_dropped == 100_000 - TELEGRAM_BYTES_MAX
