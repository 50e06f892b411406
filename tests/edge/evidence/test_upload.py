"""From a camera's store to the authority's shelf, over a real broker."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from broker.evidence_topics import EvidenceAddress, evidence_topic
from broker.topics import EVIDENCE_ANSWER, EVIDENCE_KEPT
from edge.cli import main
from edge.evidence import upload, uploader
from edge.evidence.messages import Answer
from ledger_sync.proof.cose import parse
from ledger_sync.proof.kept import parse_kept
from tests.support.brokers import start_embedded, start_mosquitto
from tests.support.city_files import CITY, GATEWAY
from tests.support.evidence_city import make_evidence_city, running_authority
from tests.support.running_city import onlooker, running_gateway, running_ledger
from tests.support.violation import PLATE
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploader, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(uploader, "RETRY_FIRST_S", 0.1)
    monkeypatch.setattr(upload, "ANSWER_MAX_S", 0.4)


@pytest.mark.parametrize("start_broker", [start_mosquitto, start_embedded])
async def test_every_violation_comes_to_the_authority_and_its_copy_goes(
    tmp_path: Path, start_broker: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with start_broker(tmp_path) as broker:  # type: ignore[operator]
        files = make_evidence_city(tmp_path, broker.port, violations=3, delete_after_s=0)
        async with running_ledger(files.city), running_authority(files), running_gateway(files.city):
            await until(lambda: len(files.kept_ids()) == 3 and not files.local_ids(), "all was kept, and removed here")
    assert len(set(files.events())) == 3
    for name in files.kept_ids():
        folder = files.kept / name
        command = ["evidence", "open", str(folder), "--config", str(files.authority_config), "--json"]
        capsys.readouterr()
        assert main([*command, "-o", str(tmp_path / "opened" / name)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["verified"], told["plate"], told["evidence"]) == (True, PLATE, name)
        kept = parse_kept((folder / "kept.cose").read_bytes())
        assert parse(kept.envelope.encode()) == kept.envelope


async def test_without_an_authority_that_acknowledges_every_copy_stays_and_health_tells_how_many(
    tmp_path: Path,
) -> None:
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, acknowledges=False, delete_after_s=0)
        async with onlooker(broker.url) as seen, running_authority(files), running_gateway(files.city):
            await until(lambda: seen.health and seen.health["evidence"]["pending"] == 3, "health told of three")
            told = seen.health["evidence"]
            assert not seen.under("/evidence/")
    assert len(files.local_ids()) == 3
    assert told["bytes"] == sum(file.stat().st_size for file in files.local.rglob("*") if file.is_file())
    assert told["pending_oldest_age_s"] < 60


async def test_a_broker_that_takes_small_packets_only_gets_small_ones(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, settings="max_packet_size 20000") as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=1)
        async with onlooker(broker.url) as seen, running_authority(files), running_gateway(files.city):
            await until(lambda: len(files.kept_ids()) == 1, "it was kept")
        chunks = [len(message.payload) for message in seen.under("/raw/")]
    assert max(chunks) == 16_384
    assert len(chunks) >= 12


async def test_a_break_costs_only_what_was_on_its_way(tmp_path: Path) -> None:
    """The authority ends, and another one begins, in the middle of an object."""
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=1, raw_bytes=3_000_000, upload_kb_s=2048)
        incoming = files.kept.parent.parent / "incoming"

        def received() -> int:
            return sum(one.stat().st_size for one in incoming.glob("*/raw.sealed"))

        async with onlooker(broker.url) as seen, running_gateway(files.city):
            async with running_authority(files):
                await until(lambda: received() > 1_000_000, "a third was there")
            there = received()
            assert there < 3_000_000
            async with running_authority(files):
                await until(lambda: len(files.kept_ids()) == 1, "it was kept")
            sent = sum(len(message.payload) for message in seen.under("/raw/"))
    (folder,) = files.kept.iterdir()
    size = (folder / "raw.sealed").stat().st_size
    assert sent - size <= (upload.WINDOW_CHUNKS + 1) * 65_536


async def test_what_the_broker_invents_frees_nothing(tmp_path: Path) -> None:
    """An answer that says all is there, an acknowledgement of somebody else, one of another set."""
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=1, delete_after_s=0)
        async with onlooker(broker.url) as seen, running_gateway(files.city):
            await until(lambda: seen.under("/offer"), "it was offered")
            offer = seen.under("/offer")[-1]
            evidence = offer.topic.split("/")[-2]
            address = EvidenceAddress(GATEWAY, evidence)
            (digest,) = set(files.events())
            all_there = Answer(digest, {"working": 1 << 30, "raw": 1 << 30}).encode()
            answer_topic = evidence_topic(EVIDENCE_ANSWER, CITY, address)
            kept_topic = evidence_topic(EVIDENCE_KEPT, CITY, address)
            for _ in range(3):
                await seen.session.publish(EVIDENCE_ANSWER.publication(answer_topic, all_there))
                await seen.session.publish(EVIDENCE_KEPT.publication(kept_topic, offer.payload))
                await seen.session.publish(EVIDENCE_KEPT.publication(kept_topic, b""))
                offers = len(seen.under("/offer"))
                await until(lambda: len(seen.under("/offer")) > offers, "it was offered again")  # noqa: B023
            assert files.local_ids() == {evidence}
            await until(lambda: seen.health["evidence"]["answers_ignored"] >= 2, "health told of it")
            async with running_authority(files):
                await until(lambda: files.kept_ids() == {evidence} and not files.local_ids(), "it was kept after all")


async def test_evidence_that_lost_a_file_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=2, delete_after_s=0)
        async with running_gateway(files.city):
            await until(lambda: len(list(files.local.rglob("recorded"))) == 2, "both are recorded")
        broken, sound = files.local_ids()
        (files.local / broken / "raw.sealed").unlink()
        later_s = time.time() + 60
        os.utime(files.local / sound, (later_s, later_s))  # its turn comes after the broken one's
        async with running_authority(files), running_gateway(files.city):
            await until(lambda: files.kept_ids() == {sound} and files.local_ids() == {broken}, "the other was kept")
