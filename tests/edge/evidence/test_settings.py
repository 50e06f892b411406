from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.authority import load_authority_settings
from edge.cli import main
from edge.config import load_gateway_config
from edge.evidence.settings import EvidenceConfig
from edge.evidence.uploader import evidence_subscriptions
from ledger_sync.proof.settings import SettingsError
from tests.support.brokers import free_port
from tests.support.city_files import make_city
from tests.support.evidence_city import make_evidence_city
from tests.support.offered_evidence import AUTHORITY_TOML

if TYPE_CHECKING:
    from pathlib import Path


def test_without_the_table_the_defaults_hold_and_nothing_is_subscribed_to(tmp_path: Path) -> None:
    config = load_gateway_config(make_city(tmp_path, free_port(), tables="").gateway_config)
    assert config.evidence == EvidenceConfig(delete_after_s=86_400, size_max_mb=2048, upload_kb_s=256)
    assert evidence_subscriptions(config) == ()


def test_a_gateway_subscribes_to_what_the_authority_says_if_it_acknowledges(tmp_path: Path) -> None:
    files = make_evidence_city(tmp_path, free_port())
    assert [topic for topic, _ in evidence_subscriptions(load_gateway_config(files.city.gateway_config))] == [
        "wayside/v1/demo/dn/gw-1/evidence/+",
        "wayside/v1/demo/dn/gw-1/kept/evidence/+",
    ]


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ("[evidence]\ndelete_after_s = -1", "evidence.delete_after_s: is -1"),
        ("[evidence]\nsize_max_mb = 0", "evidence.size_max_mb: is 0; must be from 1"),
        ("[evidence]\nupload = 3", "evidence.upload: unknown key; did you mean upload_kb_s?"),
        (
            '[[authority]]\nid = "t-1"\nrole = "traffic"\npublic_key = "CQ' + "A" * 41 + '="\nsigning_key = "x"',
            "authority[0].signing_key: must be 44 characters of padded base64",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, tables: str, sentence: str) -> None:
    files = make_city(tmp_path, free_port(), tables=tables)
    with pytest.raises(SettingsError) as caught:
        load_gateway_config(files.gateway_config)
    assert [one for one in caught.value.problems if one.startswith(sentence)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ((AUTHORITY_TOML[AUTHORITY_TOML.index("[[gateway]]") :], ""), "gateway: is empty; name at least one"),
        (('id = "gw-1"', 'id = "traffic-1"'), "gateway[0].id: is 'traffic-1', as this file's own id"),
        (("[broker]\nurl", "[broker]\nurk"), "broker.url: is missing"),
    ],
)
def test_a_mistake_in_an_authoritys_file_keeps_it_from_running(
    tmp_path: Path, change: tuple[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "authority.toml"
    path.write_text(AUTHORITY_TOML.replace(*change))
    with pytest.raises(SettingsError) as caught:
        load_authority_settings(path)
    assert [one for one in caught.value.problems if one.startswith(sentence)]
    assert main(["authority", "run", "--config", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_an_authority_without_its_signing_key_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "authority.toml"
    path.write_text(AUTHORITY_TOML)
    assert main(["authority", "run", "--config", str(path)]) == 2
    assert "signing.key: there is no key; make one with `init`" in capsys.readouterr().err
