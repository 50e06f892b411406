from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from broker.url import BrokerUrl
from ledger_sync.city.settings import load_ledger_place, load_ledger_settings
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_KEY = bytes(range(32))
WITHOUT_GATEWAYS = """\
city = "demo"
id = "ledger-1"
data_dir = "var-ledger"

[broker]
url = "mqtt://127.0.0.1:1883"
"""
WHOLE = f"""\
{WITHOUT_GATEWAYS}
[[gateway]]
id = "gw-1"
public_key = "{base64.b64encode(PUBLIC_KEY).decode()}"
revoked_from_entry = 7
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.toml"


def test_a_whole_file_is_read(path: Path) -> None:
    path.write_text(WHOLE)
    settings = load_ledger_settings(path)
    assert (settings.city, settings.id, settings.broker.url) == ("demo", "ledger-1", BrokerUrl("127.0.0.1", 1883))
    (key,) = settings.gateway
    assert (key.id, key.public_key, key.revoked_from_entry) == ("gw-1", PUBLIC_KEY, 7)


def test_paths_begin_at_the_file_s_folder(path: Path) -> None:
    path.write_text(WHOLE)
    settings = load_ledger_settings(path)
    assert settings.data_dir == path.parent / "var-ledger"
    assert settings.key_path == path.parent / "var-ledger/identity/ledger.key"
    assert settings.log_path == path.parent / "var-ledger/log.sqlite"
    path.write_text(WHOLE.replace("var-ledger", "/var/lib/wayside"))
    assert str(load_ledger_settings(path).data_dir) == "/var/lib/wayside"


def test_init_needs_city_id_and_data_dir_only(path: Path) -> None:
    path.write_text('city = "demo"\nid = "ledger-1"\ndata_dir = "var"\n[broker]\nurl = "?"\n[[gateway]]\n')
    place = load_ledger_place(path)
    assert (place.city, place.id, place.data_dir) == ("demo", "ledger-1", path.parent / "var")


def test_init_tells_all_that_it_misses(path: Path) -> None:
    path.write_text('city = "No City"\n')
    with pytest.raises(SettingsError) as raised:
        load_ledger_place(path)
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["city", "id", "data_dir"]


def test_all_mistakes_are_told_at_once_with_their_places(path: Path) -> None:
    path.write_text(
        'city = "No City"\nid = "LEDGER"\ndata_dir = ""\nextra = 1\n[broker]\nurl = 1883\n'
        '[[gateway]]\nid = "gw-1"\npublic_key = "short"\n'
    )
    with pytest.raises(SettingsError) as raised:
        load_ledger_settings(path)
    places = {problem.split(":")[0] for problem in raised.value.problems}
    assert places == {"city", "id", "data_dir", "extra", "broker.url", "gateway[0].public_key"}


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        (WITHOUT_GATEWAYS, "gateway"),
        (WITHOUT_GATEWAYS.replace("[broker]", "gateway = []\n[broker]"), "gateway"),
        (WHOLE.replace('"gw-1"', '"ledger-1"'), r"gateway\[0\].id"),
        (WHOLE + "first_batch = 9\nlast_batch = 8\n", r"gateway\[0\].last_batch"),
    ],
)
def test_a_ledger_that_could_register_nothing_is_refused(path: Path, changed: str, place: str) -> None:
    path.write_text(changed)
    with pytest.raises(SettingsError, match=f"ledger.toml: {place}: "):
        load_ledger_settings(path)
