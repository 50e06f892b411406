"""Nothing of what is sealed goes over the broker, into a journal, or onto a disk in clear."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from edge.evidence import uploader
from tests.support.brokers import start_mosquitto
from tests.support.evidence_city import make_evidence_city, running_authority
from tests.support.running_city import onlooker, running_gateway, running_ledger
from tests.support.secrets_on_disk import BLOCK_BYTES, encodings, occurrences
from tests.support.violation import CALIBRATION, CROP, PLATE, SALT
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

SECRETS: dict[str, str | bytes] = {"plate": PLATE, "salt": SALT, "crop": CROP, "calibration": CALIBRATION}


async def test_a_whole_run_has_no_plate_salt_or_picture_in_clear_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(uploader, "LOOK_EVERY_S", 0.05)
    with start_mosquitto(tmp_path, durable=True) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=3)
        async with (
            onlooker(broker.url) as seen,
            running_ledger(files.city),
            running_authority(files),
            running_gateway(files.city),
        ):
            await until(lambda: len(files.kept_ids()) == 3 and len(files.events()) == 3, "all was kept")
        broker.persist()
    capture = tmp_path / "capture"
    capture.write_bytes(b"".join(one.topic.encode() + one.payload for one in seen.messages))
    (tmp_path / "log").write_text("\n".join(f"{one.getMessage()} {vars(one)}" for one in caplog.records))
    assert capture.stat().st_size > 500_000
    assert occurrences([tmp_path], SECRETS) == []


@pytest.mark.parametrize("how", encodings(PLATE))
def test_a_plate_is_found_in_every_encoding_wherever_it_stands(tmp_path: Path, how: str) -> None:
    raw = encodings(PLATE)[how]
    for name, before in (("at the begin", 0), ("at a block's edge", BLOCK_BYTES - len(raw) // 2), ("inside", 77)):
        file = tmp_path / "folder" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"\xff" * before + raw + b"\xff")
        assert [(one.file, one.offset) for one in occurrences([tmp_path], {"plate": PLATE})] == [(file, before)]
        file.unlink()


@pytest.mark.parametrize("around", [b"", b"x", b"xy", b"xyz"])
def test_a_plate_inside_longer_base64_is_found(tmp_path: Path, around: bytes) -> None:
    (tmp_path / "file").write_bytes(base64.b64encode(around + PLATE.encode() + around))
    assert occurrences([tmp_path / "file"], {"plate": PLATE})


def test_what_could_be_found_by_chance_and_an_empty_search_are_no_proof(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="too short"):
        occurrences([tmp_path], {"plate": "A1"})
    with pytest.raises(AssertionError, match="no file"):
        occurrences([tmp_path / "nowhere"], {"plate": PLATE})
