import json
from dataclasses import replace
from decimal import Decimal

import pytest

from ledger_sync.proof.errors import Reason, RefusedError
from ledger_sync.proof.event import ClockState
from ledger_sync.proof.report import as_json, as_text, data_to_json, printable, refusal_as_json, utc_s_text, utc_us_text
from ledger_sync.proof.verify import verify
from tests.support.city_of_proofs import JOURNAL, TRUST, build

PROVEN = verify(build().transparent, TRUST)


def test_the_keys_and_values_are_those_that_format_md_fixes() -> None:
    told = as_json(PROVEN)
    assert json.loads(json.dumps(told)) == told
    assert list(told.items()) == [
        ("verified", True),
        ("city", "demo"),
        ("gateway", "gw-1"),
        ("device", "meter-1"),
        ("journal", JOURNAL.hex()),
        ("sequence", 102),
        ("device_counter", 77),
        ("type", "meter.reading"),
        ("version", 1),
        (
            "data",
            {
                "meter_id": "4B384547303034303436333935353037",
                "meter_time": "260101010000W",
                "integrity": "crc",
                "registers": [
                    {"obis": "1-0:1.8.1", "value": "12345.670", "unit": "kWh"},
                    {"obis": "1-0:2.8.1", "value": "0.000", "unit": "kWh"},
                ],
            },
        ),
        ("origin", 1),
        ("evidence", []),
        ("passport", None),
        ("time", "2026-01-01T00:00:00.000000Z"),
        ("clock", {"state": 2, "error_us": 1500, "source": "ntp", "authenticated": True}),
        ("batch", 4),
        ("batch_count", 5),
        ("ledger", "ledger-1"),
        ("shard", "log-1"),
        ("entry", 3),
        ("tree_size", 7),
        ("logged_by", "2026-01-01T00:01:01Z"),
        ("not_before", "2025-12-31T23:59:50Z"),
        ("not_revoked_as_of_entry", 3),
    ]


def test_without_a_ledger_head_there_is_no_lower_time_bound() -> None:
    assert as_json(replace(PROVEN, ledger_seen=None))["not_before"] is None
    assert "after" not in as_text(replace(PROVEN, ledger_seen=None))


def test_a_refusal_has_its_reason_and_a_sentence() -> None:
    told = refusal_as_json(RefusedError(Reason.KEY_REVOKED, "since entry 3"))
    assert told == {"verified": False, "reason": "key-revoked", "sentence": "since entry 3"}


def test_people_read_who_what_and_when() -> None:
    lines = as_text(PROVEN).splitlines()
    assert lines[0] == "verified"
    for part in (
        "demo/gw-1",
        "meter-1",
        '"12345.670"',
        "2026-01-01T00:00:00.000000Z",
        "synced, to 1500 µs",
        "entry 3 of 7",
    ):
        assert part in as_text(PROVEN)


def test_evidence_and_passport_are_told_where_there_are_any() -> None:
    measured = replace(PROVEN, evidence=(bytes(32), b"\x01" * 32), passport=100)
    told = as_json(measured)
    assert (told["evidence"], told["passport"]) == (["00" * 32, "01" * 32], 100)
    assert f"evidence {'00' * 32}, {'01' * 32}" in as_text(measured)
    assert "passport event 100 of the same journal; `--passport` checks its statement" in as_text(measured)
    assert "evidence" not in as_text(PROVEN)
    assert "passport" not in as_text(PROVEN)


def test_with_its_passport_proven_the_passports_data_is_told() -> None:
    measured = replace(PROVEN, passport=100)
    passport = replace(PROVEN, sequence=100, data={"place": "Harbour Road 12", "software_sha256": bytes(32)})
    told = as_json(measured, passport)
    assert list(told)[-1] == "passport_data"
    assert told["passport_data"] == {"place": "Harbour Road 12", "software_sha256": "00" * 32}
    assert 'passport event 100 of the same journal, verified: {"place": "Harbour Road 12"' in as_text(
        measured, passport
    )


def test_an_unsynced_clock_is_told_without_a_bound() -> None:
    unsynced = PROVEN.stamp._replace(clock=ClockState(0, None, "", authenticated=False))
    assert "unsynced, source none, not authenticated" in as_text(replace(PROVEN, stamp=unsynced))


def test_nothing_that_was_signed_can_steer_a_terminal() -> None:
    nasty = "\x1b[2J\x07\r\n\x9b\u202e\u2028"
    text = as_text(replace(PROVEN, data={"note": nasty, nasty: "Zürich"}))
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) == len(as_text(PROVEN).split("\n"))
    assert "Zürich" in text
    assert printable(nasty).isprintable()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Decimal("1.500"), "1.500"),
        (Decimal("1E-18"), "0.000000000000000001"),
        (Decimal("-0.01"), "-0.01"),
        (b"\x00\xff", "00ff"),
        ([None, True, 1, "a", {"b": b""}], [None, True, 1, "a", {"b": ""}]),
    ],
)
def test_data_is_told_exactly(value: object, told: object) -> None:
    assert data_to_json({"value": value}) == {"value": told}


def test_times_are_told_up_to_the_year_9999_and_from_1970_on() -> None:
    assert utc_us_text(253_402_300_799_999_999) == "9999-12-31T23:59:59.999999Z"
    assert utc_us_text(0) == "1970-01-01T00:00:00.000000Z"
    assert utc_s_text(253_402_300_799) == "9999-12-31T23:59:59Z"
    # Exact to the µs, which a float of seconds would not be.
    assert utc_us_text(253_402_300_000_000_001) == "9999-12-31T23:46:40.000001Z"
