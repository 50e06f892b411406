from __future__ import annotations

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from nacl.bindings import crypto_sign_open

from ledger_sync.proof.keyfile import KeyFileError, SecretKey, load_key, make_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity" / "event.key"


def test_a_key_is_made_once_and_never_overwritten(path: Path) -> None:
    assert make_key(path)
    first = path.read_bytes()
    assert not make_key(path)
    assert path.read_bytes() == first


def test_key_and_folder_are_for_their_owner_alone_under_any_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_of_many_makers_at_once_one_wins_and_nothing_else_is_left(path: Path) -> None:
    with ThreadPoolExecutor(8) as makers:
        made = list(makers.map(lambda _: make_key(path), range(8)))
    assert made.count(True) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_another_process_made_meanwhile_is_not_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _descriptor: path.write_text("made meanwhile"))
    assert not make_key(path)
    assert path.read_text() == "made meanwhile"
    assert list(path.parent.iterdir()) == [path]


def test_a_key_is_in_place_only_when_it_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        make_key(path)
    assert list(path.parent.iterdir()) == []


def test_a_loaded_key_signs_what_its_public_key_verifies(path: Path) -> None:
    make_key(path)
    key = load_key(path)
    assert crypto_sign_open(key.sign(b"message") + b"message", key.public_key) == b"message"
    assert load_key(path).public_key == key.public_key


def test_two_keys_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_key(tmp_path / name)
    assert load_key(tmp_path / "a").public_key != load_key(tmp_path / "b").public_key


def test_the_file_is_the_private_key_of_rfc_8410(path: Path) -> None:
    path.parent.mkdir()
    # RFC 8410 section 10.3, the first example.
    path.write_text(
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "-----END PRIVATE KEY-----\n"
    )
    path.chmod(0o600)
    expected = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    assert load_key(path).public_key.hex() == expected


def test_openssl_reads_the_file(path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    make_key(path)
    der = subprocess.run([openssl, "pkey", "-in", path, "-pubout", "-outform", "DER"], capture_output=True, check=True)
    assert der.stdout[-32:] == load_key(path).public_key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_that_others_may_open_is_refused_with_the_mend(path: Path, mode: int) -> None:
    make_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_key(path)


def test_a_missing_key_is_told_with_the_mend(path: Path) -> None:
    with pytest.raises(KeyFileError, match="make one with `init`"):
        load_key(path)


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_key(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="no key can be made here"):
        make_key(tmp_path / "file" / "event.key")


def test_no_part_of_a_key_file_is_a_key(path: Path) -> None:
    make_key(path)
    whole = path.read_bytes()
    for content in (*(whole[:end] for end in range(len(whole) - 1)), whole.replace(b"MC4C", b"MC5C"), b"\xff" * 99):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match="no Ed25519 private key"):
            load_key(path)


def test_a_key_shows_its_fingerprint_and_never_its_seed() -> None:
    seed = bytes(range(32))
    key = SecretKey(seed)
    assert repr(key) == f"SecretKey({key.kid.hex()})"
    assert key.fingerprint.startswith(key.kid.hex())
    assert len(key.fingerprint) == 64
    assert seed.hex() not in f"{key!r} {key}"
