import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof.errors import MalformedError
from ledger_sync.proof.names import city_problem, id_problem, issuer, parse_issuer, shard_problem

IDS = st.text("abcxyz0189-", min_size=1, max_size=32)


@pytest.mark.parametrize("value", ["a", "gw-1", "0", "-", "a" * 32])
def test_an_id_is_fine(value: str) -> None:
    assert id_problem(value) is None


@pytest.mark.parametrize("value", ["", "a" * 33, "GW", "gw_1", "gw 1", "gw/1", "gw+", "#", "gw\n", "ü", "٣"])
def test_an_id_is_not(value: str) -> None:
    assert "a-z, 0-9 and hyphen" in str(id_problem(value))


@pytest.mark.parametrize("value", ["demo", "a", "example.org", "st-gallen.example", "1.2", "a" * 32])
def test_a_city_is_fine(value: str) -> None:
    assert city_problem(value) is None


@pytest.mark.parametrize(
    "value", ["", "a" * 33, "Demo", "-a", "a-", "a..b", ".a", "a.", "a/b", "a.-b", "zürich", "demo\n", "a b"]
)
def test_a_city_is_not(value: str) -> None:
    assert "domain name" in str(city_problem(value))


@pytest.mark.parametrize(
    ("value", "fine"), [("log-1", True), ("s" * 16, True), ("s" * 17, False), ("", False), ("L", False)]
)
def test_a_shards_name_is_judged(value: str, fine: bool) -> None:  # noqa: FBT001 - a table
    assert (shard_problem(value) is None) is fine


def test_a_name_of_a_megabyte_is_not_repeated_whole() -> None:
    for judge in (id_problem, city_problem, shard_problem):
        assert len(str(judge("X" * 1_000_000))) < 300


@given(st.sampled_from(["demo", "example.org"]), IDS)
def test_an_issuer_is_parsed_to_what_it_was_made_of(city: str, name: str) -> None:
    assert parse_issuer(issuer(city, name)) == (city, name)


@pytest.mark.parametrize(
    "iss", ["", "demo", "demo/", "/gw-1", "demo/gw-1/", "demo//gw-1", "demo/GW", "Demo/gw", "demo/gw-1\n"]
)
def test_an_issuer_is_malformed(iss: str) -> None:
    with pytest.raises(MalformedError, match="not <city>/<id>"):
        parse_issuer(iss)
