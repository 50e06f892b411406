from __future__ import annotations

import pytest

from devices.wire.line import check_line_port, is_tcp, line_at
from devices.wire.serial_line import SerialLine
from devices.wire.tcp_line import TcpLine


@pytest.mark.parametrize(("port", "kind"), [("/dev/serial/by-id/usb-1", SerialLine), ("tcp://192.0.2.7:4001", TcpLine)])
def test_a_port_has_the_line_that_its_form_tells(port: str, kind: type) -> None:
    line = line_at(port, 9600, bytesize=8, parity="N")
    assert type(line) is kind
    assert line.port == port
    assert is_tcp(port) is (kind is TcpLine)
    assert check_line_port(port) is None


@pytest.mark.parametrize(("port", "why"), [("", "is empty"), ("tcp://192.0.2.7", "must look like tcp://")])
def test_a_port_of_no_use_is_told(port: str, why: str) -> None:
    assert why in (check_line_port(port) or "")
