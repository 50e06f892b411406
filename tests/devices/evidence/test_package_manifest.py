from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.evidence import package_manifest
from devices.evidence.package_manifest import (
    Look,
    Manifest,
    PackageChangedError,
    PackageError,
    StoppedError,
    look,
    make_manifest,
    opened,
)
from tests.devices.evidence.boxes import PLATE, leave

CASE = {"case.xml": b"<case/>", "images/2.jpg": b"", "images/10.jpg": b"\xff\xd8", "images.txt": b"two"}
names = st.text(st.characters(exclude_characters="/\0\n", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)
# As the docstring tells an auditor to do it.
SHELL = re.search(r"\n( {4}find .*?done)\n", package_manifest.__doc__ or "", re.DOTALL)


def manifest_of(folder: Path) -> Manifest:
    with opened(folder) as package:
        return make_manifest(package)


def look_at(folder: Path) -> Look:
    with opened(folder) as package:
        return look(package)


def line(data: bytes, path: str) -> bytes:
    return f"{hashlib.sha256(data).hexdigest()}  {len(data)}  {path}\n".encode()


def test_a_manifest_has_a_line_a_file_sorted_by_the_bytes_of_the_path(tmp_path: Path) -> None:
    (leave(tmp_path / "case", CASE) / "empty").mkdir()
    manifest = manifest_of(tmp_path / "case")
    assert manifest.text == b"".join(
        line(CASE[path], path) for path in ("case.xml", "images.txt", "images/10.jpg", "images/2.jpg")
    )
    assert (manifest.files, manifest.size_bytes) == (4, 12)
    assert manifest.sha256 == hashlib.sha256(manifest.text).digest()


@given(st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_the_documented_shell_line_and_the_command_make_the_same_manifest(files: dict[str, bytes]) -> None:
    assert SHELL
    with TemporaryDirectory() as folder:
        case = leave(Path(folder) / "case", files)
        expected = manifest_of(case)
        shell = subprocess.run(["bash", "-c", SHELL[1]], cwd=case, capture_output=True, check=True, timeout=20)
    assert shell.stdout == expected.text
    assert expected.files == len(files)


def test_the_command_prints_the_manifest_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devices.evidence.package_manifest"]
    case = leave(tmp_path / "case", CASE)
    printed = subprocess.run([*command, str(case)], capture_output=True, check=True, timeout=20)
    assert printed.stdout == manifest_of(case).text
    failed = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, check=False, timeout=20)
    assert (failed.returncode, failed.stdout) == (2, b"")
    assert b"cannot be opened (No such file" in failed.stderr


def test_any_change_of_a_package_changes_its_look(tmp_path: Path) -> None:
    case = leave(tmp_path / "case", CASE)
    before = look_at(case)
    assert (before.files, before.size_bytes) == (4, 12)
    assert look_at(case) == before
    looks = {before.shape}
    os.utime(case / "case.xml", ns=(0, (case / "case.xml").stat().st_mtime_ns))
    looks.add(look_at(case).shape)  # its time is as before, but it was put there
    (case / "case.xml").rename(case / "case.XML")
    looks.add(look_at(case).shape)
    (case / "images.txt").write_bytes(b"too")
    looks.add(look_at(case).shape)
    assert len(looks) == 4


@pytest.mark.parametrize("entry", ["link", "folder link", "pipe", "socket", "line break"])
def test_what_is_no_plain_file_makes_a_package_unusable_and_no_name_is_told(
    tmp_path: Path, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = leave(tmp_path / "case", CASE)
    monkeypatch.chdir(case)
    if entry == "link":
        Path(PLATE).symlink_to("case.xml")
    elif entry == "folder link":
        Path(PLATE).symlink_to("images", target_is_directory=True)
    elif entry == "pipe":
        os.mkfifo(PLATE)
    elif entry == "socket":
        with socket.socket(socket.AF_UNIX) as here:
            here.bind(PLATE)
    else:
        leave(case, {f"{PLATE}\n": b""})
    for read in (look_at, manifest_of):
        with pytest.raises(PackageError) as caught:
            read(case)
        assert PLATE not in str(caught.value)


def test_a_package_is_bounded_in_entries_and_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_manifest, "ENTRIES_MAX", 5)
    for number in range(5):
        (tmp_path / "wide" / str(number)).mkdir(parents=True)
    assert look_at(tmp_path / "wide").files == 0
    (tmp_path / "wide" / "5").mkdir()
    with pytest.raises(PackageError, match="more than 5 files and folders"):
        look_at(tmp_path / "wide")
    monkeypatch.setattr(package_manifest, "DEPTH_MAX", 2)
    leave(tmp_path / "deep", {"a/b/file": b""})
    assert look_at(tmp_path / "deep").files == 1
    leave(tmp_path / "deep", {"a/b/c/file": b""})
    with pytest.raises(PackageError, match="more than 2 deep"):
        look_at(tmp_path / "deep")


def test_a_file_that_is_cut_or_gone_while_the_package_is_read_makes_no_manifest(tmp_path: Path) -> None:
    case = tmp_path / "case"

    def cut() -> bool:
        os.truncate(case / "a", 1)
        return False

    def removed() -> bool:
        for file in case.iterdir():
            file.unlink()
        return False

    for change, files in ((cut, "a"), (removed, "ab")):
        leave(case, dict.fromkeys(files, bytes(3 << 20)))
        with opened(case) as package, pytest.raises(PackageChangedError):
            make_manifest(package, change)


def test_a_file_that_grows_is_read_no_further_than_it_was(tmp_path: Path) -> None:
    case = leave(tmp_path / "case", {"a": b"1234"})

    def grows() -> bool:
        with (case / "a").open("ab") as file:
            file.write(bytes(1 << 20))
        return False

    with opened(case) as package:
        assert make_manifest(package, grows).text == line(b"1234", "a")


def test_reading_stops_when_it_is_told_to(tmp_path: Path) -> None:
    case = leave(tmp_path / "case", {"a": bytes(4 << 20)})
    asked = []

    def is_stopped() -> bool:
        asked.append(True)
        return len(asked) == 3

    with opened(case) as package, pytest.raises(StoppedError):
        make_manifest(package, is_stopped)
    assert len(asked) == 3
