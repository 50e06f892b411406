"""The commands that the documentation tells people to type exist."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS_OF_A_NEWCOMER = {"make", "wayside", "pip", "python", "git", "cd", "cat", "sqlite3", "mosquitto_sub", "sudo"}
DOCUMENTS = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/**/*.md")) if path.relative_to(ROOT).parts[0] != "build"
)
# Unreleased notes speak of today's commands; those of past releases may be gone.
CURRENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]


def commands(path: Path) -> list[str]:
    """Lines of `sh` fences (without continuation lines, comments and prompts) and whole inline code spans."""
    text = path.read_text(encoding="utf-8")
    fences = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ").strip() for fence in fences for line in fence.replace("\\\n", " ").splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for line in (*lines, *spans) if line and not line.startswith("#")]


def words_after(program: str) -> list[tuple[str, str]]:
    """(document, first word after the program's name) of every command that calls it."""
    return [
        (str(path.relative_to(ROOT)), match[1])
        for path in CURRENT
        for command in commands(path)
        if (match := re.match(rf"{program} +(?:[A-Z_]+=\S+ +)*([a-z][a-z-]*)\b", command))
    ]


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert [(document, word) for document, word in words_after("make") if word not in targets] == []


def test_every_verb_of_wayside_that_is_named_exists() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import sys; from edge.cli import main; sys.exit(main())", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    verbs = set(re.findall(r"[a-z][a-z-]*", shown.stdout))
    assert [(document, word) for document, word in words_after("wayside") if word not in verbs] == []


def test_the_readme_asks_for_known_programs_only() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for fence in fences for line in fence.replace("\\\n", " ").splitlines()]
    programs = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    assert programs - COMMANDS_OF_A_NEWCOMER == set()


def test_make_help_names_every_target_that_a_person_calls() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert re.findall(r"^make (\w+)", shown.stdout, re.MULTILINE) == [
        "demo",
        "test",
        "check",
        "bench",
        "fuzz",
        "lock",
        "clean",
    ]
