"""The ledger on a real broker, in this process and in one that is killed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import signal
import sqlite3
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.publication import Publication
from broker.session import Session
from broker.topics import ANCHOR, RECEIPT, BatchAddress, batch_filter, batch_topic, parse_batch_topic
from ledger_sync.city import service
from ledger_sync.city.errors import LogError
from ledger_sync.city.ledger import Answer, Submission
from ledger_sync.city.service import serve
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.keyfile import KeyFileError, load_key, make_key
from ledger_sync.proof.ownership import OwnedError
from ledger_sync.proof.receipt import RefusalReason
from tests.ledger_sync.city import gateways
from tests.ledger_sync.city.gateways import CITY, Gateway, check_log, entries, ledger_settings, proven, refused
from tests.support.brokers import BrokerProcess, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ledger_sync.city.settings import LedgerSettings

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20.0
RESEND_S = 0.3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    directory = tmp_path / "broker"
    directory.mkdir()
    with start_mosquitto(directory) as process:
        yield process


@pytest.fixture
def settings(tmp_path: Path, broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch) -> LedgerSettings:
    """Of a ledger for gw-1 and gw-2, with a key of its own that the checks of gateways.py take for the ledger's."""
    monkeypatch.setattr("broker.session.BACKOFF_FIRST_S", 0.05)
    monkeypatch.setattr(service, "RETRY_FIRST_S", 0.01)
    data_dir = tmp_path / "ledger"
    settings = ledger_settings(data_dir, Gateway().registered, Gateway("gw-2").registered, url=broker.url)
    make_key(settings.key_path)
    monkeypatch.setattr(gateways, "LEDGER_KEY", load_key(settings.key_path))
    return settings


@dataclass
class Client:
    """A gateway's end: publishes anchors, and again after a while, until an answer comes."""

    session: Session
    answers: asyncio.Queue[Answer] = field(default_factory=asyncio.Queue)

    async def publish(self, *submissions: Submission) -> None:
        for one in submissions:
            topic = batch_topic(ANCHOR, CITY, one.address)
            await self.session.publish(ANCHOR.publication(topic, one.anchor))

    async def answer(self) -> Answer:
        return await asyncio.wait_for(self.answers.get(), DEADLINE_S)

    async def submit(self, submission: Submission) -> Answer:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await self.publish(submission)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RESEND_S):
                        while (answer := await self.answers.get()).address != submission.address:
                            pass
                        return answer

    async def receive(self) -> None:
        async for message in self.session.messages():
            address = parse_batch_topic(RECEIPT, CITY, message.topic)
            assert isinstance(address, BatchAddress)
            self.answers.put_nowait(Answer(address, message.payload))
            message.acknowledge()


@contextlib.asynccontextmanager
async def connected(broker: BrokerProcess, name: str = "gw-1") -> AsyncIterator[Client]:
    session = Session(broker.url, name, subscriptions=((batch_filter(RECEIPT, CITY, name), 1),), clean_start=True)
    client = Client(session)
    tasks = [asyncio.create_task(session.run()), asyncio.create_task(client.receive())]
    try:
        async with asyncio.timeout(DEADLINE_S):
            await session.wait_connected()
        yield client
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def serving(settings: LedgerSettings, step: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, stop, step=step))
    try:
        yield
        assert not task.done(), f"the ledger ended by itself: {task}"
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def subscribed(client: Client, gateway: Gateway) -> None:
    """Return when the ledger has answered: from then on the broker keeps its session."""
    submission = gateway.seal()
    proven(await client.submit(submission), submission)


async def test_anchors_of_several_gateways_get_their_receipts(settings: LedgerSettings, broker: BrokerProcess) -> None:
    one, two = Gateway(), Gateway("gw-2")
    async with connected(broker) as first, connected(broker, "gw-2") as second, serving(settings):
        await subscribed(first, one)
        group = [one.seal() for _ in range(100)]
        await asyncio.gather(first.publish(*group), subscribed(second, two))
        places = [proven(await first.answer(), submission).proof.index for submission in group]
    assert places == sorted(set(places))
    assert check_log(settings.log_path) == 102


async def test_a_receipt_that_was_lost_is_sent_again_for_the_same_place(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    gateway = Gateway()
    first = gateway.seal()
    async with serving(settings):
        async with connected(broker) as client:
            place = proven(await client.submit(first), first).proof.index
            await subscribed(client, gateway)
        async with connected(broker) as client:
            assert proven(await client.submit(first), first).proof.index == place == 0
    assert check_log(settings.log_path) == 2


async def test_what_is_published_while_the_ledger_is_down_is_answered_after_its_restart(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    gateway = Gateway()
    async with connected(broker) as client:
        async with serving(settings):
            await subscribed(client, gateway)
        missed = [gateway.seal() for _ in range(30)]
        await client.publish(*missed)
        async with serving(settings):
            for submission in missed:
                proven(await client.answer(), submission)


async def test_a_gateway_that_publishes_under_another_s_topic_is_refused(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    async with connected(broker, "gw-2") as client, serving(settings):
        own = Gateway().seal()
        forged = Submission(replace(own.address, gateway="gw-2"), own.anchor)
        assert refused(await client.submit(forged), forged).reason is RefusalReason.MALFORMED
    assert entries(settings.log_path) == []


async def test_topics_and_bytes_of_any_kind_hold_nothing_up(settings: LedgerSettings, broker: BrokerProcess) -> None:
    gateway = Gateway()
    async with connected(broker) as client, serving(settings):
        await subscribed(client, gateway)
        root = f"wayside/v1/{CITY}/up"
        for number in range(600):  # more than the window
            topic = f"{root}/gw-1/anchor/{number}/x" if number % 2 else f"{root}/gw-{number}/anchor/{'0' * 32}/1"
            await client.session.publish(Publication(topic, b"\xff" * (number % 50)))
        await subscribed(client, gateway)


async def test_a_broker_that_dies_and_returns_finds_the_ledger_again(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    gateway = Gateway()
    async with connected(broker) as client, serving(settings):
        await subscribed(client, gateway)
        broker.kill()
        broker.start()
        async with asyncio.timeout(DEADLINE_S):
            await client.session.wait_disconnected(1)
            await client.session.wait_connected()
        await subscribed(client, gateway)
    assert check_log(settings.log_path) == 2


@pytest.mark.parametrize("at", ["ledger.before-commit", "ledger.after-commit"])
async def test_a_disk_that_refuses_is_tried_again_and_told_once(
    settings: LedgerSettings, broker: BrokerProcess, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At `after-commit` the commit has happened although it looks failed: only reading the file again tells."""
    failures = 0

    def full(step: str) -> None:
        nonlocal failures
        if step == at and failures < 3:
            failures += 1
            raise sqlite3.OperationalError("database or disk is full")

    gateway = Gateway()
    caplog.set_level(logging.INFO, "wayside.ledger")
    async with connected(broker) as client, serving(settings, full):
        await subscribed(client, gateway)
        await subscribed(client, gateway)
    assert failures == 3
    told = [record.message for record in caplog.records if "regist" in record.message and "group" not in record.message]
    assert [sentence.split(":")[0] for sentence in told] == [
        "nothing can be registered",
        "anchors are registered again",
    ]
    assert check_log(settings.log_path) == 2


async def test_a_disk_that_goes_on_refusing_does_not_hold_up_a_stop(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    refused_once = asyncio.Event()
    loop = asyncio.get_running_loop()

    def full(step: str) -> None:
        if step == "ledger.before-commit":
            loop.call_soon_threadsafe(refused_once.set)
            raise sqlite3.OperationalError("database or disk is full")

    async with connected(broker) as client, serving(settings, full):
        submission = Gateway().seal()
        async with asyncio.timeout(DEADLINE_S):
            while not refused_once.is_set():
                await client.publish(submission)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(refused_once.wait(), RESEND_S)
    assert client.answers.empty()
    assert check_log(settings.log_path) == 0


async def test_a_broker_that_refuses_receipts_is_told_once_and_holds_nothing_up(
    settings: LedgerSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = "user nobody\ntopic read none\npattern read #\npattern write wayside/v1/+/up/%c/#\n"
    directory = tmp_path / "strict"
    directory.mkdir()
    with start_mosquitto(directory, access_rules=rules) as strict:
        gateway = Gateway()
        strict_settings = replace(settings, broker=replace(settings.broker, url=strict.url))
        async with connected(strict) as client, serving(strict_settings):
            async with asyncio.timeout(DEADLINE_S):
                group = [gateway.seal() for _ in range(300)]
                while ledger_status(settings)["size"] < 300:
                    await client.publish(*group)
    told = [record for record in caplog.records if "receipts do not go out" in record.message]
    assert len(told) == 1


async def test_a_second_ledger_on_the_same_data_dir_is_refused(settings: LedgerSettings, broker: BrokerProcess) -> None:
    async with connected(broker) as client, serving(settings):
        await subscribed(client, Gateway())
        with pytest.raises(OwnedError):
            await serve(settings, asyncio.Event())


async def test_a_ledger_without_a_key_does_not_start(settings: LedgerSettings) -> None:
    settings.key_path.unlink()
    with pytest.raises(KeyFileError, match="make one with `init`"):
        await serve(settings, asyncio.Event())


async def test_a_log_that_breaks_under_way_stops_the_service_with_its_type(
    settings: LedgerSettings, broker: BrokerProcess
) -> None:
    def broken(step: str) -> None:
        if step == "ledger.before-commit":
            raise sqlite3.DatabaseError("database disk image is malformed")

    async with connected(broker) as client:
        ledger = asyncio.create_task(serve(settings, asyncio.Event(), step=broken))
        submission = Gateway().seal()
        async with asyncio.timeout(DEADLINE_S):
            while not ledger.done():
                await client.publish(submission)
                await asyncio.wait((ledger,), timeout=RESEND_S)
        with pytest.raises(LogError, match="malformed"):
            await ledger


@pytest.fixture
def toml(settings: LedgerSettings, tmp_path: Path) -> Path:
    lines = [f'city = "{CITY}"', 'id = "ledger-1"', 'data_dir = "ledger"', "[broker]", f'url = "{settings.broker.url}"']
    for key in settings.gateway:
        public_key = base64.b64encode(key.public_key).decode()
        lines += ["[[gateway]]", f'id = "{key.id}"', f'public_key = "{public_key}"']
    path = tmp_path / "ledger.toml"
    path.write_text("\n".join(lines))
    return path


async def start(toml: Path, step: str = "") -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.ledger_sync.city.ledger_process", str(toml), step)
    with (toml.parent / "ledger.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)


@pytest.mark.parametrize("step", ["ledger.before-commit", "ledger.after-commit", "ledger.after-publish"])
async def test_a_sigkill_at_any_step_doubles_nothing_and_loses_nothing(
    settings: LedgerSettings, broker: BrokerProcess, toml: Path, step: str
) -> None:
    gateway = Gateway()
    async with connected(broker) as client:
        async with serving(settings):
            await subscribed(client, gateway)
        group = [gateway.seal() for _ in range(20)]
        await client.publish(*group)
        killed = await start(toml, step)
        assert await asyncio.wait_for(killed.wait(), DEADLINE_S) == -signal.SIGKILL
        check_log(settings.log_path)
        # Nothing is published anew: the broker delivers again what was not acknowledged.
        async with serving(settings):
            places: dict[BatchAddress, int] = {}
            submissions = {submission.address: submission for submission in group}
            while places.keys() != submissions.keys() or client.answers.qsize():
                answer = await client.answer()
                place = proven(answer, submissions[answer.address]).proof.index
                assert places.setdefault(answer.address, place) == place
    assert list(places.values()) == list(range(1, 21))
    assert check_log(settings.log_path) == 21


async def test_sigterm_ends_the_process_in_order_within_five_seconds(
    settings: LedgerSettings, broker: BrokerProcess, toml: Path
) -> None:
    gateway = Gateway()
    async with connected(broker) as client:
        process = await start(toml)
        await subscribed(client, gateway)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == 0
    assert check_log(settings.log_path) == 1
