"""`wayside prove` and `wayside verify` of an event that names a passport."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli import main
from edge.journal.writer import KeepAnswer
from tests.edge.journals import (
    GATEWAY_KEY,
    LEDGER_KEY,
    SEAL,
    Ledger,
    anchors,
    new_event,
    open_journal,
    passport,
)
from tests.support.brokers import free_port
from tests.support.city_files import make_city

if TYPE_CHECKING:
    from pathlib import Path

PASSPORT = {"place": "Harbour Road 12", "approval": "MID-0123", "calibration": {"date": "2026-11-23"}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A gateway whose journal has a tap without a passport, a passport, a tap with it, each in a batch of its own.

    The first and the last have their receipts.
    """
    config = make_city(tmp_path, free_port()).gateway_config
    ledger = Ledger()
    with open_journal(tmp_path / "var") as journal:
        journal.commit([new_event(), SEAL, passport("gate-1", PASSPORT), SEAL, new_event(), SEAL])
        for batch in (1, 3):
            journal.commit([KeepAnswer(batch, *ledger.register(anchors(journal.path)[batch]))])
    return config


def receipt_the_passport(config: Path) -> None:
    with open_journal(config.parent / "var") as journal:
        journal.commit([KeepAnswer(2, *Ledger().register(anchors(journal.path)[2]))])


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    gateway, ledger = (base64.b64encode(key.public_key).decode() for key in (GATEWAY_KEY, LEDGER_KEY))
    path = tmp_path / "trust.toml"
    path.write_text(
        f'city = "demo"\n[[gateway]]\nid = "gw-1"\npublic_key = "{gateway}"\n'
        f'[[ledger]]\nid = "ledger-1"\npublic_key = "{ledger}"\n'
    )
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """What a command prints as JSON, or its sentence where it fails."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out) if out else err


def test_the_passport_is_written_beside_the_event_and_both_are_verified(
    config: Path, trust: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt_the_passport(config)
    event, beside = tmp_path / "tap.cose", tmp_path / "tap.passport.cose"
    told = run(capsys, "prove", "--config", config, 3, "-o", event)
    assert list(told) == ["journal", "sequence", "file", "bytes", "passport"]
    assert (told["sequence"], told["file"], told["bytes"]) == (3, str(event), event.stat().st_size)
    assert told["passport"] == {"sequence": 2, "file": str(beside), "bytes": beside.stat().st_size}
    proven = run(capsys, "verify", event, "--passport", beside, "--trust", trust)
    assert (proven["passport"], proven["passport_data"]) == (2, PASSPORT)
    assert run(capsys, "verify", beside, "--trust", trust)["data"] == PASSPORT
    assert run(capsys, "verify", event, "--passport", event, "--trust", trust, code=1)["reason"] == "passport-mismatch"


def test_people_are_told_how_to_check_both(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt_the_passport(config)
    event = tmp_path / "tap.cose"
    assert main(["prove", "--config", str(config), "3", "-o", str(event)]) == 0
    assert (
        f"`wayside verify {event} --passport {tmp_path / 'tap.passport.cose'} --trust ...`" in capsys.readouterr().out
    )


def test_an_event_without_a_passport_is_written_alone(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "prove", "--config", config, 1, "-o", tmp_path / "tap.cose")["passport"] is None
    assert list(tmp_path.glob("*.cose")) == [tmp_path / "tap.cose"]


def test_while_the_passport_has_no_receipt_nothing_is_written(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = run(capsys, "prove", "--config", config, 3, "-o", tmp_path / "tap.cose", code=2)
    assert "event 3 names its device's passport, but event 2 has no receipt yet (its batch is sealed)" in sentence
    assert list(tmp_path.glob("*.cose")) == []


def test_a_folder_is_no_file_to_write(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (".", "/"):
        sentence = run(capsys, "prove", "--config", config, 1, "-o", folder, code=2)
        assert sentence == f"wayside: {folder}: cannot be written (it is a folder); name a file in it\n"
