from __future__ import annotations

import asyncio
import os
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.wire import serial_line
from devices.wire.serial_line import SerialLine
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.sim.pty import PseudoTerminal


def line_on(port: str) -> SerialLine:
    return SerialLine(port, 9600, bytesize=8, parity="N")


@pytest.fixture
async def line(terminal: PseudoTerminal) -> AsyncIterator[SerialLine]:
    line = line_on(terminal.path)
    await line.open()
    yield line
    await line.close()


async def read(line: SerialLine) -> bytes:
    async with asyncio.timeout(5):
        return await line.read()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_bytes_of_the_device_are_read_and_ours_are_written(terminal: PseudoTerminal, line: SerialLine) -> None:
    terminal.write(b"\x00\x1b\xff\r\n")
    assert await read(line) == b"\x00\x1b\xff\r\n"
    await line.write(b"\x03ack\n")
    assert terminal.read(1) == b"\x03ack\n"


async def test_reading_waits_for_the_device_without_holding_the_loop(
    terminal: PseudoTerminal, line: SerialLine
) -> None:
    reading = asyncio.create_task(read(line))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reading.done()
    terminal.write(b"late")
    assert await reading == b"late"


async def test_what_the_device_sent_before_opening_is_dropped(terminal: PseudoTerminal) -> None:
    terminal.write(b"stale")
    line = line_on(terminal.path)
    await line.open()
    terminal.write(b"fresh")
    assert await read(line) == b"fresh"
    await line.close()


async def test_an_unplugged_device_is_noticed_at_once_by_name(terminal: PseudoTerminal, line: SerialLine) -> None:
    reading = asyncio.create_task(read(line))
    await asyncio.sleep(0)
    started = time.monotonic()
    terminal.unplug()
    with pytest.raises(DeviceError, match=rf"{terminal.path}.*unplugged"):
        await reading
    assert time.monotonic() - started < 0.5
    with pytest.raises(DeviceError, match="unplugged"):
        await line.write(b"x")


async def test_after_a_replug_the_same_line_opens_again(terminal: PseudoTerminal, line: SerialLine) -> None:
    terminal.unplug()
    with pytest.raises(DeviceError, match="unplugged"):
        await read(line)
    with pytest.raises(DeviceError, match="does not exist; plug the device in"):
        await line.open()
    terminal.replug()
    await line.open()
    terminal.write(b"back")
    assert await read(line) == b"back"


async def test_opening_again_closes_what_was_open_before(terminal: PseudoTerminal, line: SerialLine) -> None:
    before = open_files()
    for _ in range(5):
        await line.open()
    assert open_files() == before
    terminal.write(b"x")
    assert await read(line) == b"x"


async def test_a_port_held_by_another_process_is_refused_and_says_so(terminal: PseudoTerminal) -> None:
    hold = "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); input()"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hold, terminal.path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    line = line_on(terminal.path)
    with pytest.raises(DeviceError, match=rf"{terminal.path}: is locked by another process"):
        await line.open()
    holder.stdin.write(b"\n")
    await holder.wait()
    await line.open()
    await line.close()


@pytest.mark.parametrize("name", ["missing", "file", "folder"])
async def test_what_is_no_serial_port_is_refused_by_name_and_leaves_nothing_open(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    before = open_files()
    with pytest.raises(DeviceError, match=str(tmp_path / name)):
        await line_on(str(tmp_path / name)).open()
    assert open_files() == before


async def test_a_device_that_reads_nothing_fails_the_line_in_time(
    terminal: PseudoTerminal, line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "WRITE_DEADLINE_S", 0.2)
    reading = asyncio.create_task(read(line))
    await asyncio.sleep(0)
    with pytest.raises(DeviceError, match=rf"{terminal.path}.*took no bytes for 0.2 s"):
        await line.write(b"x" * 100_000)
    with pytest.raises(DeviceError, match="took no bytes"):
        await reading


async def test_a_large_write_is_finished_when_the_device_reads_slowly(
    terminal: PseudoTerminal, line: SerialLine
) -> None:
    writing = asyncio.create_task(line.write(bytes(range(256)) * 200))
    received = b""
    while not writing.done() or len(received) < 51200:
        received += terminal.read()
        await asyncio.sleep(0)
    await writing
    assert received == bytes(range(256)) * 200


async def test_a_write_broken_off_fails_the_line_as_half_of_it_may_be_sent(line: SerialLine) -> None:
    writing = asyncio.create_task(line.write(b"x" * 100_000))
    await asyncio.sleep(0.01)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    with pytest.raises(DeviceError, match="broken off"):
        await line.write(b"y")


async def test_closing_wakes_the_reader_and_may_be_repeated(line: SerialLine) -> None:
    reading = asyncio.create_task(read(line))
    await asyncio.sleep(0)
    await line.close()
    await line.close()
    with pytest.raises(DeviceError, match="is closed"):
        await reading


async def test_a_pseudo_terminal_is_opened_again_and_again_though_it_has_no_parity(terminal: PseudoTerminal) -> None:
    line = SerialLine(terminal.path, 2400, bytesize=7, parity="E")
    for _ in range(3):
        await line.open()
        await line.close()


async def test_the_speed_can_change_while_the_line_is_open(terminal: PseudoTerminal, line: SerialLine) -> None:
    line.change_baudrate(300)
    file = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
    assert termios.tcgetattr(file)[4:6] == [termios.B300, termios.B300]
    os.close(file)
    await line.close()
    with pytest.raises(DeviceError, match="is closed"):
        line.change_baudrate(9600)


async def test_a_line_that_was_never_opened_says_so() -> None:
    with pytest.raises(DeviceError, match="open it first"):
        await line_on("/dev/null").read()


async def test_a_reader_can_be_cancelled_and_the_line_still_reads(terminal: PseudoTerminal, line: SerialLine) -> None:
    reading = asyncio.create_task(line.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    terminal.write(b"still here")
    assert await read(line) == b"still here"


async def test_a_reader_that_is_cancelled_as_bytes_come_leaves_them_to_the_next(
    terminal: PseudoTerminal, line: SerialLine
) -> None:
    for turns in range(6):
        reading = asyncio.create_task(line.read())
        await asyncio.sleep(0)
        terminal.write(b"%d" % turns)
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        (said,) = await asyncio.gather(reading, return_exceptions=True)
        assert (said if isinstance(said, bytes) else await read(line)) == b"%d" % turns


async def test_what_nobody_reads_yet_is_kept_and_wakes_the_loop_no_more(
    terminal: PseudoTerminal, line: SerialLine
) -> None:
    terminal.write(b"first")
    assert await read(line) == b"first"
    terminal.write(b"second")
    await until(lambda: not line._is_watched, "the line was let alone")
    assert line._serial is not None
    assert not asyncio.get_running_loop().remove_reader(line._serial.fileno())
    assert await read(line) == b"second"
