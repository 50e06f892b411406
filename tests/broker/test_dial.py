from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from broker.dial import ConnectOptions, dial, new_client
from broker.url import BrokerUrl
from tests.support.brokers import ROOT

_HUNG_RESOLVER = """
import asyncio, socket, time
from broker.session import BrokerUrl, Session

socket.create_connection = lambda *_, **__: time.sleep(600)

async def main():
    task = asyncio.create_task(Session(BrokerUrl("broker.example", 1883), "gw-1").run())
    await asyncio.sleep(0.1)
    task.cancel()

asyncio.run(main())
"""


def test_a_resolver_that_hangs_does_not_keep_the_process_from_stopping() -> None:
    started_s = time.monotonic()
    subprocess.run([sys.executable, "-c", _HUNG_RESOLVER], cwd=ROOT, check=True, timeout=30)
    assert time.monotonic() - started_s < 5


async def test_a_dial_that_was_given_up_sends_no_connect() -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
    options = ConnectOptions(url, "gw-1", (), None, clean_start=False, session_expiry_s=60, window=8)
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(ConnectionAbortedError, match="given up"):
        await dial(new_client(options), options, given_up)
    assert await asyncio.wait_for(received, 5) == b""
    server.close()
    await server.wait_closed()


async def test_a_host_that_is_no_name_is_a_value_error() -> None:
    options = ConnectOptions(BrokerUrl("", 1883), "gw-1", (), None, clean_start=False, session_expiry_s=60, window=8)
    with pytest.raises(ValueError, match="host"):
        await dial(new_client(options), options, threading.Event())
