"""What must stand in no file of the project, whatever the file is."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each pattern is written so that it does not match its own line.
FORBIDDEN = {
    "a shell between us and a program": re.compile(r"shell[=]True"),
    "TLS that checks nobody": re.compile(r"verify[=]False|CERT[_]NONE|check_hostname ?[=] ?False"),
    "a path of one person's machine": re.compile(r"(?<![\w.~}/-])/(?:home|root|Users|work|workspace)/[\w.]"),
}


def project_files() -> list[Path]:
    """Tracked files, and those that would be if everything were added."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in project_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert found == []


def test_no_file_names_the_folder_that_it_was_written_in() -> None:
    assert [path for path in project_files() if str(ROOT) in text_of(path)] == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a shell between us and a program", "subprocess.run(command, shell" + "=True)"),
        ("TLS that checks nobody", "context.verify_mode = ssl.CERT" + "_NONE"),
        ("a path of one person's machine", 'open("/' + 'home/ada/keys")'),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, line: str) -> None:
    assert FORBIDDEN[what].search(line)
