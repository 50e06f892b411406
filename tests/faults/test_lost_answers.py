"""Answers that took effect but were lost, and answers that are not what they seem, change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from broker.topics import RECEIPT, BatchAddress, batch_topic, parse_batch_topic
from edge.journal.reader import JournalReader
from ledger_sync.city.ledger import Ledger, Submission
from ledger_sync.city.settings import load_ledger_settings
from ledger_sync.proof.anchor import anchor_hash
from ledger_sync.proof.cose import IAT, ISS, SUB
from ledger_sync.proof.keyfile import SecretKey, load_key
from ledger_sync.proof.receipt import RefusalReason, make_refusal
from tests.support.brokers import start_mosquitto
from tests.support.city_files import CITY, LEDGER, make_city
from tests.support.counting_validator import CountingValidator
from tests.support.invariants import check_city
from tests.support.lossy_link import PUBACK, PUBLISH, Fate, LossyLink, Packet, lossy_link
from tests.support.running_city import Onlooker, onlooker, running_gateway, running_ledger
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.city_files import CityFiles

LOSSES = 6
BATCHES_MIN = 5
MARK = b"no receipt: all true ones came before it"
ANOTHER_KEY = SecretKey(bytes(range(32)))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.session.BACKOFF_FIRST_S", 0.05)
    monkeypatch.setattr("broker.session.BACKOFF_MAX_S", 0.2)
    monkeypatch.setattr("broker.connection.PUBLISH_DEADLINE_S", 0.5)
    monkeypatch.setattr("ledger_sync.anchorer.RESEND_FIRST_S", 0.4)
    monkeypatch.setattr("ledger_sync.anchorer.RESEND_MAX_S", 1.0)


def _losing(fate: Fate, is_meant: Callable[[Packet], bool]) -> tuple[Callable[[Packet], Fate], list[Packet]]:
    """What gives every second of the packets that are meant this fate, six in all; and those that met it."""
    lost: list[Packet] = []
    seen: list[Packet] = []

    def fate_of(packet: Packet) -> Fate:
        if not is_meant(packet):
            return Fate.PASS
        seen.append(packet)
        if len(lost) >= LOSSES or len(seen) % 2:
            return Fate.PASS
        lost.append(packet)
        return fate

    return fate_of, lost


def _is_puback(packet: Packet) -> bool:
    return packet.type == PUBACK


def _is_receipt(packet: Packet) -> bool:
    return packet.type == PUBLISH and b"/receipt/" in packet.raw


def _is_anchor(packet: Packet) -> bool:
    return packet.type == PUBLISH and b"/anchor/" in packet.raw


LOST = {
    "the broker's PUBACK of an anchor": ("gateway", "to_client", _is_puback),
    "an anchor on its way to the broker": ("gateway", "to_broker", _is_anchor),
    "an anchor on its way to the ledger": ("ledger", "to_client", _is_anchor),
    "a receipt on its way to the broker": ("ledger", "to_broker", _is_receipt),
    "the broker's PUBACK of a receipt": ("ledger", "to_client", _is_puback),
    "a receipt on its way to the gateway": ("gateway", "to_client", _is_receipt),
    "the gateway's PUBACK of a receipt": ("gateway", "to_broker", _is_puback),
}


@pytest.mark.slow
@pytest.mark.parametrize("fate", [Fate.CUT, Fate.DROP], ids=["with the connection", "in silence"])
@pytest.mark.parametrize("what", LOST)
async def test_each_batch_has_one_receipt_and_one_log_entry_when_there_is_lost(
    tmp_path: Path, what: str, fate: Fate
) -> None:
    who, way, is_meant = LOST[what]
    with start_mosquitto(tmp_path) as broker, CountingValidator(tmp_path / "validator-1") as validator:
        async with lossy_link(broker.port) as gateway_link, lossy_link(broker.port) as ledger_link:
            files = make_city(tmp_path, gateway_link.port, ledger_port=ledger_link.port)
            link: LossyLink = gateway_link if who == "gateway" else ledger_link
            fate_of, lost = _losing(fate, is_meant)
            setattr(link, way, fate_of)
            async with running_ledger(files), running_gateway(files):
                await until(lambda: len(lost) == LOSSES, f"{LOSSES} were lost")
                await _drained(files, validator)
            async with running_ledger(files), running_gateway(files):
                await _drained(files, validator)
                check_city(files, [validator])


async def _drained(files: CityFiles, validator: CountingValidator) -> None:
    validator.tapping.clear()
    await until(lambda: validator.answered_all() and _states(files) == {"receipted"}, "each batch had its receipt")


def _states(files: CityFiles) -> set[str]:
    with JournalReader(files.journal) as reader:
        return set(reader.counts("state"))


def _batches(files: CityFiles) -> list[Any]:
    with JournalReader(files.journal) as reader:
        return list(reader.batches())


@pytest.mark.slow
async def test_receipts_that_are_replayed_in_reverse_are_counted_and_change_nothing(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker, CountingValidator(tmp_path / "validator-1") as validator:
        files = make_city(tmp_path, broker.port)
        async with onlooker(broker.url) as seen, running_ledger(files), running_gateway(files):
            await until(lambda: len(seen.under("/receipt/")) >= BATCHES_MIN, "there were receipts")
            await _drained(files, validator)
            await until(lambda: seen.health["backlog"]["batches"] == 0, "health told that nothing waited")
            before, repeated = _batches(files), seen.health["anchors"]["answers_repeated"]
            receipts = seen.under("/receipt/")
            for message in [*reversed(receipts), *receipts]:
                await seen.session.publish(RECEIPT.publication(message.topic, message.payload))
            expected = repeated + 2 * len(receipts)
            await until(lambda: seen.health["anchors"]["answers_repeated"] == expected, "each was counted")
            assert seen.health["anchors"]["answers_ignored"] == 0
            assert _batches(files) == before


@pytest.mark.slow
async def test_receipts_altered_or_forged_are_counted_and_change_nothing(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker, CountingValidator(tmp_path / "validator-1") as validator:
        async with lossy_link(broker.port) as link:
            files = make_city(tmp_path, link.port, ledger_port=broker.port)
            passing = asyncio.Event()

            def drop_until_the_mark(packet: Packet) -> Fate:
                if passing.is_set() or not _is_receipt(packet):
                    return Fate.PASS
                if packet.raw.endswith(MARK):
                    passing.set()
                return Fate.DROP

            link.to_client = drop_until_the_mark
            async with onlooker(broker.url) as seen, running_gateway(files):
                async with running_ledger(files):
                    await until(lambda: len(_answered(seen)) >= BATCHES_MIN, "the ledger answered")
                validator.tapping.clear()
                topic = seen.under("/receipt/")[0].topic
                await seen.session.publish(RECEIPT.publication(topic, MARK))
                await until(passing.is_set, "the true receipts were lost, and others got through")
                forged = list(_forgeries(files, _answered(seen)))
                for address, payload in forged:
                    await seen.session.publish(RECEIPT.publication(batch_topic(RECEIPT, CITY, address), payload))
                await until(lambda: _ignored(seen) == len(forged), f"all {len(forged)} were counted")
                assert _states(files) <= {"sealed", "open"}
                async with running_ledger(files):
                    await _drained(files, validator)
                    check_city(files, [validator])
                assert _ignored(seen) == len(forged)


def _ignored(seen: Onlooker) -> int:
    count: int = seen.health["anchors"]["answers_ignored"]
    return count


def _answered(seen: Onlooker) -> dict[BatchAddress, bytes]:
    """The ledger's true receipts, by batch."""
    receipts = {}
    for message in seen.under("/receipt/"):
        address = parse_batch_topic(RECEIPT, CITY, message.topic)
        if address is not None and message.payload != MARK:
            receipts[address] = message.payload
    return receipts


def _forgeries(files: CityFiles, receipts: dict[BatchAddress, bytes]) -> Iterator[tuple[BatchAddress, bytes]]:
    """(batch, answer) of everything that somebody at the broker can make of what he sees."""
    (first, second, *_), anchors = sorted(receipts, key=lambda one: one.batch), {}
    for batch in _batches(files):
        anchors[batch.number] = batch.anchor
    true = receipts[first]
    for place in range(len(true)):
        altered = bytearray(true)
        altered[place] ^= 1 << place % 8
        yield first, bytes(altered)
    yield from ((first, junk) for junk in (b"", b"\xd2", true[:-1], true + b"\0", b"{}", bytes(60_000)))
    yield first, receipts[second]
    yield second, true
    yield replace(first, journal=bytes(16)), true
    key = load_key(files.directory / "var-ledger" / "identity" / "ledger.key")
    yield first, _refusal(ANOTHER_KEY, anchors[first.batch])
    yield first, _refusal(key, anchors[second.batch])
    yield first, _receipt_of_another_ledger(files, first, anchors[first.batch])


def _refusal(key: SecretKey, anchor: bytes) -> bytes:
    claims = {ISS: f"{CITY}/{LEDGER}", SUB: "log-1", IAT: 1_800_000_000}
    reason = RefusalReason.CONTRADICTION
    return make_refusal(claims, anchor_hash(anchor), reason, "it is forged", key.kid, key.sign)


def _receipt_of_another_ledger(files: CityFiles, address: BatchAddress, anchor: bytes) -> bytes:
    """A receipt like the true one in all but the key: of a log of his own, under the ledger's name."""
    folder = files.directory / "forger"
    folder.mkdir()
    settings = replace(load_ledger_settings(files.ledger_config), data_dir=folder)
    ledger = Ledger(settings, ANOTHER_KEY)
    try:
        return ledger.register([Submission(address, anchor)]).answers[0].payload
    finally:
        ledger.close()
