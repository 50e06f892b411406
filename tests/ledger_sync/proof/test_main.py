import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.city_of_proofs import GATEWAY_KEY, LEDGER_KEY, build

ROOT = Path(__file__).parents[3]
PASSPORT = {8: "device.passport", 10: {"place": "Harbour Road 12", "approval": "MID-0123"}}


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    path = tmp_path / "trust.toml"
    gateway, ledger = b64encode(GATEWAY_KEY.public).decode(), b64encode(LEDGER_KEY.public).decode()
    path.write_text(
        f'city = "demo"\n[[gateway]]\nid = "gw-1"\npublic_key = "{gateway}"\n'
        f'[[ledger]]\nid = "ledger-1"\npublic_key = "{ledger}"\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def passport_file(tmp_path: Path) -> Path:
    """The passport of meter-1, event 100."""
    path = tmp_path / "event.passport.cose"
    path.write_bytes(build(place=0, event_fields=PASSPORT).transparent)
    return path


@pytest.fixture
def statement_file(tmp_path: Path) -> Path:
    path = tmp_path / "event.cose"
    path.write_bytes(build().transparent)
    return path


def run(*arguments: object, locale: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ledger_sync.proof", *map(str, arguments)],
        cwd=ROOT,
        env={"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def test_a_sound_statement_exits_0_and_says_what_is_proven(statement_file: Path, trust_file: Path) -> None:
    people = run(statement_file, "--trust", trust_file)
    assert (people.returncode, people.stderr) == (0, "")
    assert people.stdout.startswith("verified\n")
    programs = run(statement_file, "--trust", trust_file, "--json")
    assert programs.returncode == 0
    assert json.loads(programs.stdout)["sequence"] == 102


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "malformed"), (b"\x00" * 65_537, "too-large"), (build().statement, "malformed")]
)
def test_content_that_fails_exits_1_with_the_reason(
    tmp_path: Path, trust_file: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.cose"
    path.write_bytes(content)
    refused = run(path, "--trust", trust_file, "--json")
    assert (refused.returncode, refused.stderr) == (1, "")
    told = json.loads(refused.stdout)
    assert (told["verified"], told["reason"]) == (False, reason)
    assert run(path, "--trust", trust_file).stdout.startswith(f"refused ({reason}): ")


def test_the_passport_is_verified_and_told_beside_the_event(
    tmp_path: Path, trust_file: Path, passport_file: Path
) -> None:
    event = tmp_path / "event.cose"
    event.write_bytes(build(event_fields={12: 100}).transparent)
    people = run(event, "--passport", passport_file, "--trust", trust_file)
    assert (people.returncode, people.stderr) == (0, "")
    assert "MID-0123" in people.stdout
    programs = json.loads(run(event, "--passport", passport_file, "--trust", trust_file, "--json").stdout)
    assert (programs["passport"], programs["passport_data"]) == (100, PASSPORT[10])
    assert "passport_data" not in json.loads(run(event, "--trust", trust_file, "--json").stdout)


def test_a_passport_that_is_not_the_events_is_refused(
    tmp_path: Path, trust_file: Path, statement_file: Path, passport_file: Path
) -> None:
    refused = run(statement_file, "--passport", passport_file, "--trust", trust_file, "--json")
    assert (refused.returncode, json.loads(refused.stdout)["reason"]) == (1, "passport-mismatch")
    passport_file.write_bytes(passport_file.read_bytes()[:-1])
    refused = run(statement_file, "--passport", passport_file, "--trust", trust_file, "--json")
    told = json.loads(refused.stdout)
    assert (refused.returncode, told["reason"]) == (1, "malformed")
    assert told["sentence"].startswith(f"its passport, {passport_file}: ")
    missing = run(statement_file, "--passport", tmp_path / "missing.cose", "--trust", trust_file)
    assert (missing.returncode, missing.stdout) == (2, "")


def test_what_cannot_be_tried_exits_2_without_a_traceback(
    tmp_path: Path, statement_file: Path, trust_file: Path
) -> None:
    no_key = tmp_path / "no-key.toml"
    no_key.write_text('city = "demo"\n', encoding="utf-8")
    for arguments in (
        (tmp_path / "missing.cose", "--trust", trust_file),
        (tmp_path, "--trust", trust_file),
        (statement_file, "--trust", tmp_path / "missing.toml"),
        (statement_file, "--trust", tmp_path),
        (statement_file, "--trust", no_key),
        (statement_file,),
        (),
        ("--unknown",),
    ):
        tried = run(*arguments)
        assert (tried.returncode, tried.stdout) == (2, "")
        assert tried.stderr.strip()
        assert "Traceback" not in tried.stderr


def test_a_terminal_that_is_not_utf8_is_no_problem(statement_file: Path, trust_file: Path) -> None:
    told = run(statement_file, "--trust", trust_file, locale="POSIX")
    assert told.returncode == 0
    assert "to 1500 \\xb5s" in told.stdout


def test_the_help_has_examples_and_exit_codes() -> None:
    told = run("--help")
    assert told.returncode == 0
    assert "examples:" in told.stdout
    assert "exit codes: 0 verified" in told.stdout
