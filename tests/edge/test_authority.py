from __future__ import annotations

import base64
import json
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from nacl.public import SealedBox

from edge.authority import load_authority_key, load_authority_place
from edge.cli import main
from edge.cli.samples import AUTHORITY_TOML
from edge.config import load_gateway_config
from edge.sealing import seal_to
from ledger_sync.proof.keyfile import KeyFileError, load_key
from tests.support.brokers import free_port
from tests.support.city_files import make_city

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "authority.toml"
    path.write_text('city = "demo"\nid = "utility-1"\nrole = "utility"\ndata_dir = "keys"\n')
    return path


def told(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["authority", "init", "--config", str(config), "--json"]) == 0
    identity: dict[str, Any] = json.loads(capsys.readouterr().out)
    return identity


def test_init_makes_a_key_for_its_owner_alone_and_is_idempotent(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = told(config, capsys)
    assert identity.keys() == {"id", "public_key", "fingerprint", "role", "signing_key"}
    assert (identity["id"], identity["role"]) == ("utility-1", "utility")
    paths = [config.parent / "keys" / "identity" / name for name in ("authority.key", "signing.key")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    keys = [path.read_bytes() for path in paths]
    assert load_key(paths[1]).public_key == base64.b64decode(identity["signing_key"])
    assert told(config, capsys) == identity
    assert [path.read_bytes() for path in paths] == keys


def test_what_is_sealed_to_the_told_key_is_opened_with_the_one_in_the_file(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = seal_to(base64.b64decode(told(config, capsys)["public_key"]))(b"card")
    key = load_authority_key(load_authority_place(config).key_path)
    assert SealedBox(key).decrypt(base64.b64decode(sealed)) == b"card"


def test_the_lines_to_paste_are_a_table_of_the_gateways_configuration(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["authority", "init", "--config", str(config)]) == 0
    shown = capsys.readouterr().out
    table = shown[shown.index("[[authority]]") :]
    gateway = make_city(tmp_path, free_port(), tables=table).gateway_config
    (authority,) = load_gateway_config(gateway).authorities
    assert (authority.id, authority.role) == ("utility-1", "utility")
    identity = told(config, capsys)
    assert base64.b64encode(authority.public_key).decode() == identity["public_key"]
    assert authority.signing_key == base64.b64decode(identity["signing_key"])


def test_openssl_reads_the_key_and_tells_the_same_public_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = told(config, capsys)
    command = ["openssl", "pkey", "-in", str(load_authority_place(config).key_path), "-pubout", "-outform", "DER"]
    try:
        public = subprocess.run(command, capture_output=True, check=True, timeout=10).stdout
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert base64.b64encode(public[-32:]).decode() == identity["public_key"]


def test_where_there_is_no_file_a_sample_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "authority.toml"
    assert told(config, capsys)["id"] == "transit-1"
    assert config.read_text() == AUTHORITY_TOML.format(role="transit")


def test_the_sample_of_a_file_that_is_named_for_a_role_is_of_that_role_and_has_a_key_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {role: told(tmp_path / f"{role}.toml", capsys) for role in ("traffic", "oversight")}
    assert [one["id"] for one in keys.values()] == ["traffic-1", "oversight-1"]
    assert keys["traffic"]["public_key"] != keys["oversight"]["public_key"]


def test_a_file_that_is_wrong_is_told_with_all_its_mistakes(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('city = "De mo"\nrole = "tax"\n')
    assert main(["authority", "init", "--config", str(config)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["city", "id", "role", "data_dir"]


def test_a_key_of_another_algorithm_is_not_taken_for_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(config, capsys)
    path = load_authority_place(config).key_path
    with pytest.raises(KeyFileError, match="is no Ed25519 private key"):
        load_key(path)
    path.write_bytes(path.read_bytes()[:40])
    assert main(["authority", "init", "--config", str(config)]) == 2
    assert "is no X25519 private key in PEM; restore it" in capsys.readouterr().err
