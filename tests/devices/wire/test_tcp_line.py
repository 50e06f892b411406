from __future__ import annotations

import asyncio
import socket

import pytest

from devices.driver import DeviceError
from devices.wire import tcp_line
from devices.wire.tcp_line import TcpLine, parse_tcp_url


def listening() -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)
    return listener, f"tcp://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("url", "address"),
    [("tcp://validator:4001", ("validator", 4001)), ("tcp://[2001:db8::1]:23", ("2001:db8::1", 23))],
)
def test_a_tcp_url_names_host_and_port(url: str, address: tuple[str, int]) -> None:
    assert parse_tcp_url(url) == address


@pytest.mark.parametrize(
    "url", ["tcp://", "tcp://h", "tcp://h:0", "tcp://h:70000", "tcp://h:1/x", "udp://h:1", "tcp://u@h:1"]
)
def test_another_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="must look like tcp://"):
        parse_tcp_url(url)


async def test_bytes_go_both_ways_and_a_closed_connection_is_noticed() -> None:
    listener, url = listening()
    line = TcpLine(url)
    with listener:
        await line.open()
        device, _ = listener.accept()
    with device:
        device.sendall(b"hello")
        assert await line.read() == b"hello"
        await line.write(b"ack\n")
        assert device.recv(10) == b"ack\n"
    with pytest.raises(DeviceError, match=rf"{url}: the device closed the connection"):
        await line.read()
    with pytest.raises(DeviceError, match="closed the connection"):
        await line.write(b"x")
    await line.close()


async def test_a_device_that_is_not_there_is_named() -> None:
    listener, url = listening()
    listener.close()
    with pytest.raises(DeviceError, match=rf"{url}: cannot connect"):
        await TcpLine(url).open()


async def test_a_device_that_reads_nothing_fails_the_line_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_line, "WRITE_DEADLINE_S", 0.2)
    listener, url = listening()
    line = TcpLine(url)
    with listener:
        await line.open()
        device, _ = listener.accept()
    reading = asyncio.create_task(line.read())
    with device, pytest.raises(DeviceError, match=r"took no bytes for 0\.2 s"):
        await line.write(b"x" * 20_000_000)
    with pytest.raises(DeviceError, match="took no bytes"):
        await reading
    await line.close()


async def test_closing_wakes_the_reader_and_may_be_repeated() -> None:
    listener, url = listening()
    line = TcpLine(url)
    with listener:
        await line.open()
        reading = asyncio.create_task(line.read())
        await asyncio.sleep(0)
        await line.close()
        await line.close()
        with pytest.raises(DeviceError, match="is closed"):
            await reading
        await line.open()
        await line.close()


@pytest.mark.parametrize("url", ["tcp://meter..local:4001", f"tcp://{'a' * 64}.local:4001"])
def test_a_host_that_no_look_up_takes_is_refused_with_the_form_that_is_meant(url: str) -> None:
    with pytest.raises(ValueError, match="must look like tcp://"):
        parse_tcp_url(url)
