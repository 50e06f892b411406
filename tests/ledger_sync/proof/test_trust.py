from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from ledger_sync.proof.errors import Reason
from ledger_sync.proof.settings import SettingsError
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust, key_problem, load_trust
from tests.support.city_of_proofs import GATEWAY_KEY, JOURNAL, LEDGER_KEY, OTHER_KEY

GATEWAY, LEDGER = b64encode(GATEWAY_KEY.public).decode(), b64encode(LEDGER_KEY.public).decode()
LEDGER_TABLE = f'[[ledger]]\nid = "ledger-1"\npublic_key = "{LEDGER}"\n'
GATEWAY_TABLE = f'[[gateway]]\nid = "gw-1"\npublic_key = "{GATEWAY}"\n'


def loaded(tmp_path: Path, text: str) -> Trust:
    path = tmp_path / "trust.toml"
    path.write_text(text, encoding="utf-8")
    return load_trust(path)


def test_the_smallest_trust_file_needs_nothing_but_a_city_a_gateway_and_a_ledger(tmp_path: Path) -> None:
    trust = loaded(tmp_path, f'city = "demo"\n{GATEWAY_TABLE}{LEDGER_TABLE}')
    assert trust == Trust(
        "demo", (GatewayKey("gw-1", GATEWAY_KEY.public),), (LedgerKey("ledger-1", LEDGER_KEY.public),)
    )


def test_a_table_says_where_a_key_counts(tmp_path: Path) -> None:
    bounds = f'journal = "{JOURNAL.hex()}"\nfirst_batch = 2\nlast_batch = 9\nrevoked_from_entry = 0\n'
    trust = loaded(tmp_path, f'city = "demo"\n{GATEWAY_TABLE}{bounds}{GATEWAY_TABLE}{LEDGER_TABLE}')
    assert trust.gateway == (
        GatewayKey("gw-1", GATEWAY_KEY.public, JOURNAL, 2, 9, 0),
        GatewayKey("gw-1", GATEWAY_KEY.public),
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "city: is missing"),
        (f'city = "demo"\n{GATEWAY_TABLE}', "ledger: is missing"),
        (f'city = "demo"\n{LEDGER_TABLE}', "gateway: is missing"),
        (f'city = "Demo"\n{GATEWAY_TABLE}{LEDGER_TABLE}', "city: is 'Demo'"),
        (f'city = "demo"\nlegder = 1\n{GATEWAY_TABLE}{LEDGER_TABLE}', "legder: unknown key; did you mean ledger?"),
        (
            f'city = "demo"\n{GATEWAY_TABLE}journal = "0A"\n{LEDGER_TABLE}',
            r"gateway\[0\].journal: must be 32 lower-case",
        ),
        (
            f'city = "demo"\n{GATEWAY_TABLE}journal = "{JOURNAL.hex().upper()}"\n{LEDGER_TABLE}',
            r"gateway\[0\].journal: must be 32 lower-case",
        ),
        (f'city = "demo"\n{GATEWAY_TABLE}journal = 5\n{LEDGER_TABLE}', r"gateway\[0\].journal: must be 32 lower-case"),
        (
            f'city = "demo"\n{GATEWAY_TABLE}first_batch = 3\nlast_batch = 2\n{LEDGER_TABLE}',
            r"gateway\[0\].last_batch: is 2, before first_batch",
        ),
        (f'city = "demo"\n{GATEWAY_TABLE}first_batch = 0\n{LEDGER_TABLE}', r"gateway\[0\].first_batch: is 0"),
        (f'city = "demo"\n{GATEWAY_TABLE}first_batch = true\n{LEDGER_TABLE}', "must be an integer, not true or false"),
        (f'city = "demo"\n{GATEWAY_TABLE}revoked_from_entry = -1\n{LEDGER_TABLE}', "revoked_from_entry: is -1"),
        (f'city = "demo"\n{GATEWAY_TABLE}revoked_from_entry = {10**30}\n{LEDGER_TABLE}', "a number of 64 bits"),
        (
            f'city = "demo"\n{GATEWAY_TABLE.replace(GATEWAY, GATEWAY[:-1])}{LEDGER_TABLE}',
            "44 characters of padded base64",
        ),
        (f'city = "demo"\n{GATEWAY_TABLE.replace(GATEWAY, "AAAA")}{LEDGER_TABLE}', "is 3 bytes"),
        (f'city = "demo"\n{LEDGER_TABLE}[gateway]\nid = "gw-1"\n', "gateway: must be an array of tables"),
    ],
)
def test_a_trust_file_is_refused_with_the_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=place):
        loaded(tmp_path, text)


KEY = GatewayKey("gw-1", GATEWAY_KEY.public)


@pytest.mark.parametrize(
    ("bounds", "problem"),
    [
        ({}, None),
        ({"revoked_from_entry": 11}, None),
        ({"revoked_from_entry": 10}, Reason.KEY_REVOKED),
        ({"revoked_from_entry": 0}, Reason.KEY_REVOKED),
        ({"journal": JOURNAL}, None),
        ({"journal": bytes(16)}, Reason.KEY_OUT_OF_RANGE),
        ({"first_batch": 5}, None),
        ({"first_batch": 6}, Reason.KEY_OUT_OF_RANGE),
        ({"last_batch": 5}, None),
        ({"last_batch": 4}, Reason.KEY_OUT_OF_RANGE),
        ({"journal": bytes(16), "revoked_from_entry": 10}, Reason.KEY_REVOKED),
    ],
    ids=str,
)
def test_a_key_counts_by_journal_batch_and_log_entry(bounds: dict[str, Any], problem: Reason | None) -> None:
    found = GatewayKey("gw-1", GATEWAY_KEY.public, **bounds).problem(JOURNAL, batch=5, entry=10)
    assert (found and found[0]) == problem
    assert found == key_problem([GatewayKey("gw-1", GATEWAY_KEY.public, **bounds)], JOURNAL, 5, 10)


def test_one_table_that_covers_is_enough_but_a_revocation_holds_everywhere() -> None:
    narrow = GatewayKey("gw-1", GATEWAY_KEY.public, first_batch=6)
    revoked = GatewayKey("gw-1", GATEWAY_KEY.public, journal=bytes(16), revoked_from_entry=10)
    assert key_problem([narrow, KEY], JOURNAL, 5, 10) is None
    found = key_problem([KEY, revoked], JOURNAL, 5, 10)
    assert found is not None
    assert found[0] is Reason.KEY_REVOKED
    assert key_problem([KEY, revoked], JOURNAL, 5, 9) is None


def test_keys_are_found_by_id_and_kid_together() -> None:
    other = GatewayKey("gw-1", OTHER_KEY.public)
    trust = Trust("demo", (KEY, other), (LedgerKey("ledger-1", LEDGER_KEY.public),))
    assert trust.gateway_keys("gw-1", GATEWAY_KEY.kid) == (KEY,)
    assert trust.gateway_keys("gw-2", GATEWAY_KEY.kid) == ()
    assert trust.gateway_keys("gw-1", LEDGER_KEY.kid) == ()
    assert trust.ledger_keys("ledger-1", LEDGER_KEY.kid) == trust.ledger
    assert trust.ledger_keys("ledger-2", LEDGER_KEY.kid) == ()
