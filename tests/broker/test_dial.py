from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from broker.dial import ConnectOptions, dial, new_client
from broker.url import BrokerUrl
from tests.broker.running import DEADLINE_S
from tests.broker.scripted_broker import ScriptedBroker
from tests.support.brokers import ROOT
from tests.support.waiting import until

_HUNG_RESOLVER = """
import asyncio, socket, time
from broker.session import Session
from broker.url import BrokerUrl

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
    scripted = ScriptedBroker()
    given_up = threading.Event()
    given_up.set()
    async with scripted.serving() as url, asyncio.timeout(DEADLINE_S):
        options = ConnectOptions(url, "gw-1", (), None, clean_start=False, session_expiry_s=60, window=8)
        with pytest.raises(ConnectionAbortedError, match="given up"):
            await dial(new_client(options), options, given_up)
        await until(lambda: scripted.closed)
    assert scripted.received == b""


async def test_a_host_that_is_no_name_is_a_value_error() -> None:
    options = ConnectOptions(BrokerUrl("", 1883), "gw-1", (), None, clean_start=False, session_expiry_s=60, window=8)
    with pytest.raises(ValueError, match="host"):
        await dial(new_client(options), options, threading.Event())
