"""An orderly stop: SIGTERM under load ends the process within 5 s with exit code 0, whatever the broker does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from ledger_sync.proof.event import parse_event
from tests.support.brokers import free_port, start_mosquitto
from tests.support.city_files import make_city
from tests.support.counting_validator import CountingValidator
from tests.support.invariants import check_validator, tokens_in
from tests.support.processes import start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

STOP_MAX_S = 5.0


@contextlib.contextmanager
def _alive(directory: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    with start_mosquitto(directory) as broker:
        yield broker.port, lambda: None


@contextlib.contextmanager
def _dead(_directory: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    yield free_port(), lambda: None


@contextlib.contextmanager
def _dying(directory: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    with start_mosquitto(directory) as broker:
        yield broker.port, broker.kill


@contextlib.contextmanager
def _freezing(directory: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    with start_mosquitto(directory) as broker:
        yield broker.port, broker.freeze


@contextlib.contextmanager
def _silent(_directory: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    """It accepts connections, and says nothing."""
    accepted: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], lambda: None
        listener.shutdown(socket.SHUT_RDWR)
    for one in accepted:
        one.close()


BROKERS: dict[str, Callable[[Path], AbstractContextManager[tuple[int, Callable[[], None]]]]] = {
    "alive": _alive,
    "dead": _dead,
    "dying at that moment": _dying,
    "freezing at that moment": _freezing,
    "accepting but silent": _silent,
}


@pytest.mark.slow
@pytest.mark.parametrize("broker", BROKERS)
async def test_sigterm_under_load_ends_with_a_sealed_gateway_stop_while_the_broker_is(
    tmp_path: Path, broker: str
) -> None:
    with BROKERS[broker](tmp_path) as (port, before_stop):
        files = make_city(tmp_path, port)
        with CountingValidator(tmp_path / "validator-1", taps_per_s=300) as validator:
            gateway = await start_module("tests.faults.gateway_process", files.gateway_config, name="gateway")
            try:
                await until(lambda: len(validator.acknowledged) > 100, "taps were acknowledged")
                before_stop()
                begin_s = time.monotonic()
                gateway.terminate()
                assert await gateway.wait() == 0, gateway.log_tail()
                took_s = time.monotonic() - begin_s
            finally:
                await gateway.kill()
    assert took_s < STOP_MAX_S
    assert "Traceback" not in gateway.log_tail()
    with JournalReader(files.journal) as reader:
        verify_journal(reader, files.gateway_key, ())
        *_, last = reader.events()
    assert parse_event(last.statement).type == "gateway.stop"
    assert last.state == "sealed"
    check_validator(validator, tokens_in(files.journal)[validator.id])
