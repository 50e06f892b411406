"""DESIGN 11, as a black box: the installed command, its files, its exit codes, and what a line device is told."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.black_box import (
    WAYSIDE,
    sentence,
    told,
    until,
    wayside,
)
from tests.e2e.city import TAP, City
from tests.support.brokers import ROOT

pytestmark = pytest.mark.xdist_group("command-line")

ALL_VERBS = [
    ["init"],
    ["check"],
    ["run"],
    ["demo"],
    ["device", "list"],
    ["device", "try"],
    ["journal", "stats"],
    ["journal", "events"],
    ["journal", "verify"],
    ["journal", "export"],
    ["prove"],
    ["verify"],
    ["ledger", "init"],
    ["ledger", "run"],
    ["ledger", "status"],
    ["authority", "init"],
    ["broker", "run"],
    ["sim", "run"],
    ["sim", "check"],
]


# --- init and check ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "name"),
    [(["init"], "gw-1"), (["ledger", "init"], "ledger-1"), (["authority", "init"], "transit-1")],
)
def test_init_makes_an_identity_and_a_sample_and_is_idempotent(tmp_path: Path, verb: list[str], name: str) -> None:
    config = tmp_path / "file.toml"
    first = told(*verb, "--config", config)
    of_authority = {"role", "signing_key"} if "authority" in verb else set()
    assert first.keys() == {"id", "public_key", "fingerprint"} | of_authority
    assert first["id"] == name
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", first["public_key"])
    assert re.fullmatch(r"[0-9a-f]{64}", first["fingerprint"])
    sample = config.read_text()
    assert sample.startswith("#")
    assert told(*verb, "--config", config) == first
    assert config.read_text() == sample
    keys = list(tmp_path.rglob("*.key"))
    assert len(keys) == (2 if of_authority else 1)
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    shown = wayside(*verb, "--config", config).stdout
    assert first["public_key"] in shown
    assert first["fingerprint"] in shown


def test_init_needs_only_city_id_and_data_dir(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('city = "demo"\ngateway = "gw-7"\ndata_dir = "elsewhere"\n')
    assert told("init", "--config", config)["id"] == "gw-7"
    assert list((tmp_path / "elsewhere").rglob("*.key"))


def test_init_tells_what_it_cannot_use(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('city = "De mo"\n')
    lines = wayside("init", "--config", config, code=2).stderr.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["city", "gateway", "data_dir"]
    assert "is a directory" in sentence("init", "--config", tmp_path)
    assert "No such file or directory" in sentence("init", "--config", tmp_path / "no" / "gateway.toml")


def test_check_judges_and_touches_nothing(city: City, tmp_path: Path) -> None:
    copy = Path(shutil.copy(city.config, tmp_path))
    devices = [{"id": "gate-pty", "driver": "jsonl"}, {"id": "gate-tcp", "driver": "jsonl"}]
    assert told("check", "--config", copy) == {
        "valid": True,
        "city": "demo",
        "gateway": "gw-1",
        "devices": devices,
        "unprepared": {},
    }
    assert "good" in wayside("check", "--config", copy).stdout
    copy.write_text("what = 1\n[batch]\ncount_max = 0\n")
    problems = wayside("check", "--config", copy, code=2).stderr.splitlines()
    assert any("what: unknown key" in problem for problem in problems)
    assert any("batch.count_max: is 0; must be from 1 to" in problem for problem in problems)
    listed = told("check", "--config", copy, code=2)
    assert (listed["valid"], len(listed["problems"])) == (False, len(problems))
    assert "No such file or directory" in sentence("check", "--config", tmp_path / "none.toml")
    assert [one.name for one in tmp_path.iterdir()] == [copy.name]


def test_every_verb_helps_with_an_example_and_the_exit_codes() -> None:
    commands = [[str(WAYSIDE), *verb, "--help"] for verb in ALL_VERBS]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    for verb, process in zip(ALL_VERBS, running, strict=True):
        shown = process.communicate(timeout=20)[0]
        assert process.returncode == 0
        assert f"wayside {' '.join(verb)}" in shown.split("example:")[1], verb
        assert "exit codes: 0 yes, done; 1 the content fails; 2 it could not be tried" in shown, verb


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["journal"], ["run"], ["prove", "--config", "x", "one"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert "usage: wayside" in wayside(*arguments, code=2).stderr


# --- run ---------------------------------------------------------------------------------------------------------


def test_run_without_an_identity_exits_2_and_says_what_to_do(city: City, tmp_path: Path) -> None:
    config = Path(shutil.copy(city.config, tmp_path))
    assert "there is no key; make one with `init`" in sentence("run", "--config", config)
    ledger = Path(shutil.copy(city.ledger_config, tmp_path))
    assert "there is no key; make one with `init`" in sentence("ledger", "run", "--config", ledger)


def test_run_without_the_other_sides_key_exits_2_and_says_what_to_do(tmp_path: Path) -> None:
    gateway, ledger = tmp_path / "gateway.toml", tmp_path / "ledger.toml"
    wayside("init", "--config", gateway)
    wayside("ledger", "init", "--config", ledger)
    assert "wayside ledger init" in sentence("run", "--config", gateway)
    assert "[[gateway]]" in sentence("ledger", "run", "--config", ledger)


def test_a_second_run_exits_2(city: City) -> None:
    assert "stop that one, or name another data_dir" in sentence("run", "--config", city.config)
    assert "stop that one, or name another data_dir" in sentence("ledger", "run", "--config", city.ledger_config)


# --- journal -----------------------------------------------------------------------------------------------------


def test_events_are_listed_while_the_gateway_runs_with_exactly_these_keys(city: City) -> None:
    events = city.events()
    keys = ["journal", "sequence", "device", "type", "time", "data", "batch", "state"]
    assert all(list(event) == keys for event in events)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[0]["device"]) == ("gateway.start", "gw-1")
    assert {event["journal"] for event in events} == {events[0]["journal"]}
    assert re.fullmatch("[0-9a-f]{32}", events[0]["journal"])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["time"]) for event in events)
    assert all((event["batch"] is None) == (event["state"] == "open") for event in events)
    assert {event["state"] for event in events} <= {"open", "sealed", "receipted"}
    first_tap = next(event for event in events if event["type"] == "fare.tap")
    assert first_tap["data"] == TAP


def test_a_reader_that_goes_away_ends_the_listing_quietly(city: City) -> None:
    for options in ("--json", ""):
        line = f"{WAYSIDE} journal events --config {city.config} {options} | head -n 1"
        shell = ("bash", "-o", "pipefail", "-c", line)
        done = subprocess.run(shell, capture_output=True, text=True, timeout=20, check=False)
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""


def test_stats_count(city: City) -> None:
    (stats,) = told("journal", "stats", "--config", city.config)["journals"]
    assert stats["by_type"]["fare.tap"] >= 2
    assert {"gate-pty", "gate-tcp", "gw-1"} <= stats["by_device"].keys()
    assert stats["by_state"]["receipted"] >= 1
    assert sum(stats["by_state"].values()) == sum(stats["by_type"].values()) == stats["events"]
    assert stats["bytes"] > 0
    assert stats["journal"] in wayside("journal", "stats", "--config", city.config).stdout


def test_the_whole_journal_verifies_while_the_gateway_runs(city: City) -> None:
    verdict = told("journal", "verify", "--config", city.config)
    assert verdict["verified"] is True
    assert verdict["journals"][0]["receipts"] >= 1
    assert "verifies" in wayside("journal", "verify", "--config", city.config).stdout


TAMPERINGS = [
    "UPDATE event SET device = 'gate-9' WHERE sequence = 2",
    "UPDATE event SET statement = CAST(substr(statement, 1, 99) || x'00' AS BLOB) WHERE sequence = 2",
    "UPDATE event SET statement = 'text' WHERE sequence = 2",
    "UPDATE event SET statement = statement || x'00' WHERE sequence = 2",
    "DELETE FROM event WHERE sequence = 2",
    "DELETE FROM batch WHERE number = 1",
    "UPDATE batch SET receipt = substr(receipt, 1, 90) || x'00' WHERE number = 1",
    "DROP TABLE batch",
]


def test_a_journal_that_was_altered_does_not_verify(city: City, tmp_path: Path) -> None:
    for number, change in enumerate(TAMPERINGS):
        config = city.copy(tmp_path / str(number))
        with closing(sqlite3.connect(config.parent / "var/journal/journal.sqlite")) as connection, connection:
            connection.execute(change)
        verdict = told("journal", "verify", "--config", config, code=1)
        assert verdict["verified"] is False, change
        assert verdict["sentence"], change
    done = wayside("journal", "verify", "--config", config, code=1)
    assert "does not verify" in done.stdout


def test_a_journal_set_aside_does_not_hide_the_current_one(city: City, tmp_path: Path) -> None:
    config = city.copy(tmp_path / "copy")
    aside = config.parent / "var" / "journal-0001-unreadable"
    shutil.copytree(config.parent / "var" / "journal", aside)
    (aside / "journal.sqlite").write_bytes(b"\xff" * 5000)
    for log in aside.glob("*-*"):
        log.unlink()
    done = wayside("journal", "events", "--config", config, "--json")
    assert json.loads(done.stdout.splitlines()[0])["type"] == "gateway.start"
    assert "damaged" in done.stderr
    assert wayside("journal", "stats", "--config", config).stdout
    assert wayside("journal", "export", "--config", config, tmp_path / "out").stdout
    assert str(aside) in wayside("journal", "verify", "--config", config, code=1).stdout


def test_export_writes_what_is_receipted_and_goes_on_later(city: City, tmp_path: Path) -> None:
    count = len(city.receipted())
    first = told("journal", "export", "--config", city.config, tmp_path / "out")
    assert first["written"] >= count
    files = sorted((tmp_path / "out").rglob("*.cose"), key=lambda file: int(file.stem))
    assert len(files) == first["written"]
    wayside("verify", files[0], "--trust", city.trust)
    wayside("verify", files[-1], "--trust", city.trust)
    files[0].unlink()
    again = told("journal", "export", "--config", city.config, tmp_path / "out")
    assert again["kept"] == first["written"] - 1
    assert again["written"] >= 1
    assert files[0].exists()
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.parametrize("verb", ["stats", "events", "verify", "export"])
def test_a_journal_that_is_not_there_yet_exits_2(city: City, tmp_path: Path, verb: str) -> None:
    config = Path(shutil.copy(city.config, tmp_path))
    shutil.copytree(city.directory / "var" / "identity", tmp_path / "var" / "identity")
    out = [tmp_path / "out"] if verb == "export" else []
    assert "there is no journal yet" in sentence("journal", verb, "--config", config, *out)


# --- prove and verify --------------------------------------------------------------------------------------------


def test_an_event_is_proven_and_verified_offline(city: City, proof: Path) -> None:
    proven = told("verify", proof, "--trust", city.trust)
    event = city.events()[proven["sequence"] - 1]
    assert proven["verified"] is True
    assert (proven["gateway"], proven["device"], proven["type"]) == ("gw-1", event["device"], "fare.tap")
    assert (proven["journal"], proven["batch"], proven["data"]) == (event["journal"], event["batch"], event["data"])
    assert wayside("verify", proof, "--trust", city.trust).stdout.startswith("verified\n")
    alone = [sys.executable, "-m", "ledger_sync.proof", str(proof), "--trust", str(city.trust)]
    assert subprocess.run(alone, cwd=ROOT, capture_output=True, timeout=20, check=False).returncode == 0


def test_a_named_journal_is_the_same_proof(city: City, proof: Path, tmp_path: Path) -> None:
    proven = told("verify", proof, "--trust", city.trust)
    out = tmp_path / "again.cose"
    report = told("prove", "--config", city.config, proven["sequence"], "--journal", proven["journal"], "-o", out)
    assert out.read_bytes() == proof.read_bytes()
    assert report["bytes"] == out.stat().st_size


def test_what_cannot_be_proven_exits_2_and_writes_nothing(city: City, tmp_path: Path) -> None:
    out = tmp_path / "event.cose"
    prove = ("prove", "--config", city.config, "-o", out)
    for sequence in ("0", "-1", "1000000000", "1" + "0" * 30):
        assert f"has no event {sequence}" in sentence(*prove, sequence)
    assert "has no journal '00'; there are: " in sentence(*prove, "1", "--journal", "00")
    assert "has no journal" in sentence(*prove, "1", "--journal", "00" * 16)
    assert "cannot be written" in sentence("prove", "--config", city.config, "1", "-o", tmp_path / "no" / "event.cose")
    assert "cannot be written" in sentence("prove", "--config", city.config, "1", "-o", tmp_path)
    assert list(tmp_path.iterdir()) == []


def spoil(proof: Path, directory: Path) -> dict[str, Path]:
    """Files that do not verify, by what is wrong with them."""
    sound = proof.read_bytes()
    contents = {
        "empty": b"",
        "truncated": sound[:-1],
        "with more behind it": sound + b"\x00",
        "flipped": sound[:200] + bytes([sound[200] ^ 1]) + sound[201:],
        "of another kind": b'{"verified": true}',
        "noise": b"\xff" * 100,
        "over 64 KiB": sound + b"\x00" * (1 << 16),
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = directory / name
        paths[name].write_bytes(content)
    return paths


def test_what_does_not_verify_exits_1_with_one_sentence(city: City, proof: Path, tmp_path: Path) -> None:
    for name, path in spoil(proof, tmp_path).items():
        done = wayside("verify", path, "--trust", city.trust, code=1)
        assert len((done.stdout + done.stderr).splitlines()) == 1, name
        assert told("verify", path, "--trust", city.trust, code=1)["verified"] is False


def test_a_proof_counts_only_for_whom_the_trust_file_names(city: City, proof: Path, tmp_path: Path) -> None:
    text = city.trust.read_text()
    other_key = "A" * 43 + "="
    keys = re.findall('public_key = "(.*)"', text)
    names = (("demo", "town"), ("gw-1", "gw-2"), ("ledger-1", "ledger-2"))
    for change in (*names, *((key, other_key) for key in keys)):
        trust = tmp_path / "trust.toml"
        trust.write_text(text.replace(*change))
        refused = told("verify", proof, "--trust", trust, code=1)
        assert refused["verified"] is False, change
        assert refused["sentence"], change


def test_what_could_not_be_tried_exits_2_with_one_sentence(city: City, proof: Path, tmp_path: Path) -> None:
    sentence("verify", tmp_path / "none.cose", "--trust", city.trust)
    sentence("verify", tmp_path, "--trust", city.trust)
    sentence("verify", proof, "--trust", tmp_path / "none.toml")
    sentence("verify", proof, "--trust", tmp_path)
    trust = tmp_path / "trust.toml"
    for content in (b"", b"city = demo", b"\xff\xfe", b'city = "demo"\n', city.trust.read_bytes() + b"what = 1\n"):
        trust.write_bytes(content)
        assert "trust.toml" in wayside("verify", proof, "--trust", trust, code=2).stderr


# --- ledger ------------------------------------------------------------------------------------------------------


def test_the_ledgers_status_names_each_gateways_head(city: City) -> None:
    journal = city.events()[0]["journal"]

    def caught_up() -> Any:
        status = told("ledger", "status", "--config", city.ledger_config)
        head = status["gateways"].get("gw-1", {}).get(journal)
        return status if head and head["batch"] >= 1 else None

    status = until(caught_up)
    assert status["size"] >= 1
    assert re.fullmatch("[0-9a-f]{64}", status["root"])
    assert status["refusals"] == []
    assert "gw-1" in wayside("ledger", "status", "--config", city.ledger_config).stdout
