from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import socket
import stat
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.signal.rsmp_copies import Copies, Kind
from devices.signal.rsmp_relay import KEEP_BYTES, SPLICES_MAX, Relay, Splice
from devices.signal.rsmp_relay_line import RelayLine
from tests.devices.signal.rsmp_relays import RelayProcess, is_running, short_folder
from tests.support.brokers import ROOT, free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["short_folder"]

BIG_BYTES = 8 << 20
END_DEADLINE_S = 10.0


class City:
    """A supervisor's socket, a relay before it, and a site's connection through both."""

    def __init__(self, relay: RelayProcess, accepted: asyncio.Queue[tuple[StreamReader, StreamWriter]]) -> None:
        self.relay = relay
        self._accepted = accepted
        self._writers: list[StreamWriter] = []

    async def connect(self) -> tuple[StreamReader, StreamWriter, StreamReader, StreamWriter]:
        """The site's reader and writer, and the supervisor's."""
        site = await asyncio.open_connection("127.0.0.1", self.relay.port)
        async with asyncio.timeout(10):
            supervisor = await self._accepted.get()
        self._writers += site[1], supervisor[1]
        return *site, *supervisor

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def city(folder: Path, *, idle_s: float = 30.0) -> AsyncIterator[City]:
    accepted: asyncio.Queue[tuple[StreamReader, StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0)
    relay = RelayProcess(folder, server.sockets[0].getsockname()[1])
    made = City(relay, accepted)
    try:
        await relay.start(idle_s=idle_s)
        yield made
    finally:
        await relay.end()
        made.close()
        server.close()


async def test_every_byte_passes_unchanged_both_ways(short_folder: Path) -> None:
    chance = random.Random(3)
    async with city(short_folder) as place:
        site_in, site_out, supervisor_in, supervisor_out = await place.connect()

        async def pass_on(writer: StreamWriter, reader: StreamReader) -> None:
            sent, arrived, data = hashlib.sha256(), hashlib.sha256(), chance.randbytes(2 << 20)
            sent.update(data)

            async def send() -> None:
                for start in range(0, len(data), 40_001):
                    writer.write(data[start : start + 40_001])
                    await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            while piece := await reader.read(65_536):
                arrived.update(piece)
            await sending
            assert arrived.digest() == sent.digest()

        async with asyncio.timeout(30):
            await asyncio.gather(pass_on(site_out, supervisor_in), pass_on(supervisor_out, site_in))


async def test_a_half_that_is_closed_leaves_the_other_open(short_folder: Path) -> None:
    async with city(short_folder) as place, asyncio.timeout(20):
        site_in, site_out, supervisor_in, supervisor_out = await place.connect()
        site_out.write(b"last")
        site_out.write_eof()
        assert await supervisor_in.read() == b"last"
        supervisor_out.write(b"answer")
        supervisor_out.write_eof()
        assert await site_in.read() == b"answer"


@pytest.mark.parametrize("who", ["site", "supervisor"])
async def test_who_is_cut_off_cuts_off_the_other(short_folder: Path, who: str) -> None:
    async with city(short_folder) as place, asyncio.timeout(20):
        site_in, site_out, supervisor_in, supervisor_out = await place.connect()
        cut, other = (site_out, supervisor_in) if who == "site" else (supervisor_out, site_in)
        cut.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        cut.close()
        assert await other.read() == b""


async def test_a_site_is_turned_away_while_its_supervisor_cannot_be_reached(short_folder: Path) -> None:
    relay = RelayProcess(short_folder, free_port())
    line = relay.line()
    try:
        await relay.attach(line)
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
            assert (await line.read()).notice == {"notice": "unreachable", "why": "Connection refused"}
        writer.close()
    finally:
        await line.close()
        await relay.end()


def test_a_site_whose_connection_fails_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_splice: Splice) -> None:
        raise OSError("made up")

    monkeypatch.setattr(Splice, "run", fail)
    copies = Copies(KEEP_BYTES)
    with socket.create_server(("127.0.0.1", 0)) as supervisor, socket.socket(socket.AF_UNIX) as control:
        relay = Relay(supervisor, control, supervisor.getsockname(), copies, idle_s=1.0)
        for _ in range(SPLICES_MAX + 1):
            with socket.create_connection(supervisor.getsockname()) as site:
                relay._serve_site(site)
                supervisor.accept()[0].close()  # the site's own connection
                supervisor.accept()[0].close()  # the relay's: it was tried for each
    assert copies.connections == 0


async def test_a_supervisor_that_does_not_read_holds_its_site_back_and_loses_nothing(short_folder: Path) -> None:
    async with city(short_folder) as place, asyncio.timeout(60):
        _, site_out, supervisor_in, _ = await place.connect()
        site_out.transport.set_write_buffer_limits(high=0)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while sent < 2 * BIG_BYTES:
                site_out.write(bytes(65_536))
                await site_out.drain()
                sent += 65_536
            site_out.write_eof()

        sending = asyncio.create_task(send())
        held = -1
        while held != sent:  # until it has stood still for a while
            held = sent
            await asyncio.sleep(0.3)
        assert held < 2 * BIG_BYTES
        arrived = 0
        while piece := await supervisor_in.read(1 << 20):
            arrived += len(piece)
        await sending
        assert arrived == sent


async def test_a_gateway_that_does_not_read_slows_nothing_and_is_told_what_it_missed(short_folder: Path) -> None:
    async with city(short_folder) as place, asyncio.timeout(60):
        _, site_out, supervisor_in, _ = await place.connect()
        line = place.relay.line()
        await place.relay.attach(line)
        message = b"x" * 999 + b"\f"

        async def send() -> None:
            for _ in range(BIG_BYTES // len(message)):
                site_out.write(message)
                await site_out.drain()
            site_out.write(b"end\f")

        sending = asyncio.create_task(send())
        arrived = bytearray()
        while not arrived.endswith(b"end\f"):
            arrived += await supervisor_in.read(1 << 20)
        await sending
        count = len(arrived) // len(message)
        taken = dropped = 0
        async with asyncio.timeout(20):
            while True:
                record = await line.read()
                if record.kind is Kind.NOTICE:
                    dropped += record.notice.get("messages", 0)
                    continue
                taken += 1
                if record.content == b"end":
                    break
        await line.close()
        assert dropped > 0
        assert taken + dropped == count + 1  # the end
        assert taken * len(message) < KEEP_BYTES + (4 << 20)  # what is kept, and what the two sockets hold


async def test_messages_are_copied_whole_in_order_with_their_sender(short_folder: Path) -> None:
    async with city(short_folder) as place, asyncio.timeout(20):
        line = place.relay.line()
        await place.relay.attach(line)
        site_in, site_out, supervisor_in, supervisor_out = await place.connect()
        assert (await line.read()).notice == {"notice": "connected", "connections": 1}
        for number in range(50):
            site_out.write(b"s%d" % number)
            site_out.write(b"\f")
            await supervisor_in.readuntil(b"\f")
            supervisor_out.write(b"a%d\f" % number)
            await site_in.readuntil(b"\f")
        copied = [(await line.read())[:3] for _ in range(100)]
        await line.close()
    assert copied == [
        (kind, 2 * number + place, b"%s%d" % (who, number))
        for number in range(50)
        for place, (kind, who) in enumerate(((Kind.SITE, b"s"), (Kind.SUPERVISOR, b"a")), 1)
    ]


async def test_the_socket_is_for_its_owner_alone(short_folder: Path) -> None:
    async with city(short_folder) as place:
        assert stat.S_IMODE(place.relay.path.stat().st_mode) == 0o600


async def test_a_second_gateway_is_refused(short_folder: Path) -> None:
    async with city(short_folder) as place:
        first, second = place.relay.line(), place.relay.line()
        await place.relay.attach(first)
        with pytest.raises(DeviceError, match="takes no gateway; stop the other gateway"):
            await second.open()
        await first.close()
        await second.open()
        await second.close()


async def test_a_relay_without_gateway_and_site_ends_by_itself_and_leaves_nothing(short_folder: Path) -> None:
    relay = RelayProcess(short_folder, free_port())
    pid = await relay.start(idle_s=1.0)
    assert is_running(pid)
    await until(lambda: not is_running(pid), "the relay ended", END_DEADLINE_S)
    assert not relay.path.exists()


async def test_a_relay_with_a_site_goes_on_without_a_gateway(short_folder: Path) -> None:
    async with city(short_folder, idle_s=1.0) as place, asyncio.timeout(20):
        _, site_out, supervisor_in, _ = await place.connect()
        for _ in range(5):
            site_out.write(b"still here\f")
            assert await supervisor_in.readuntil(b"\f") == b"still here\f"
            await asyncio.sleep(0.5)


async def test_sigterm_ends_it_and_removes_its_socket(short_folder: Path) -> None:
    async with city(short_folder) as place:
        pid = await place.relay.start()
        os.kill(pid, signal.SIGTERM)
        await until(lambda: not is_running(pid), "the relay ended", END_DEADLINE_S)
        assert not place.relay.path.exists()


async def test_a_relay_to_another_supervisor_is_replaced(short_folder: Path) -> None:
    async with city(short_folder) as place:
        former = await place.relay.start()
        line = RelayLine(place.relay.path, place.relay.listen, f"tcp://127.0.0.1:{free_port()}", 30.0)
        assert await place.relay.attach(line) != former
        assert not is_running(former)
        await line.close()


async def test_a_socket_that_a_killed_relay_left_is_no_hindrance(short_folder: Path) -> None:
    async with city(short_folder) as place:
        former = await place.relay.start()
        os.kill(former, signal.SIGKILL)
        await until(lambda: not is_running(former), "it is dead", END_DEADLINE_S)
        assert place.relay.path.exists()
        assert await place.relay.start() != former


async def test_a_port_that_is_taken_is_a_device_error_that_names_it(short_folder: Path) -> None:
    relay = RelayProcess(short_folder, free_port())
    with socket.create_server(("127.0.0.1", relay.port)), pytest.raises(DeviceError, match=str(relay.port)):
        await relay.line().open()


async def test_a_folder_that_is_missing_is_a_device_error_that_names_the_key(short_folder: Path) -> None:
    relay = RelayProcess(short_folder / "nowhere", free_port())
    with pytest.raises(DeviceError, match="relay_socket"):
        await relay.line().open()


async def test_a_path_that_is_too_long_for_a_socket_is_a_device_error(short_folder: Path) -> None:
    line = RelayLine(short_folder / ("x" * 100), "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", 1.0)
    with pytest.raises(DeviceError, match="at most 107 bytes"):
        await line.open()


def test_a_relay_is_small_and_needs_the_standard_library_only() -> None:
    probe = "import devices.signal.rsmp_relay, sys; print(*sys.modules)"
    command = [sys.executable, "-c", probe]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    ours = {one for one in loaded if one.startswith("devices.")}
    assert ours == {"devices.signal", *(f"devices.signal.rsmp_{one}" for one in ("relay", "copies", "splitter"))}
    assert not {"asyncio", "nacl", "cbor2", "ledger_sync"} & set(loaded)
