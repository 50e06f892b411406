from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fare.pn532_target import EMPTY_POLLS, FORGET_S, NoTargetError, Presence, is_random, parse_target_list

FOUR, SEVEN, TEN = "23271365", "04a1b2c3d4e580", "04a1b2c3d4e5f6a7b8c9"
ONE, OTHER = bytes.fromhex(FOUR), bytes.fromhex(SEVEN)


@pytest.mark.parametrize("uid", [FOUR, SEVEN, TEN])
@pytest.mark.parametrize("ats", ["", "0675778102 80"])
def test_a_uid_of_each_size_is_read_with_or_without_an_ats(uid: str, ats: str) -> None:
    data = bytes.fromhex(f"0101 0004 08 {len(uid) // 2:02x} {uid} {ats}")
    assert parse_target_list(data) == bytes.fromhex(uid)


def test_an_empty_field_has_no_uid() -> None:
    assert parse_target_list(b"\x00") is None


@pytest.mark.parametrize("data", ["", "01", "0101000408", "010100040805 0102030405", "010100040807 010203"])
def test_a_list_that_is_cut_off_or_has_an_unknown_length_is_refused_without_being_quoted(data: str) -> None:
    with pytest.raises(NoTargetError) as refused:
        parse_target_list(bytes.fromhex(data))
    assert "01" not in str(refused.value)


@given(st.binary(max_size=60))
def test_any_list_gives_a_uid_none_or_a_typed_error(data: bytes) -> None:
    try:
        uid = parse_target_list(data)
    except NoTargetError:
        return
    assert uid is None or len(uid) in {4, 7, 10}


def test_a_uid_that_a_card_made_up_is_known_by_its_first_byte() -> None:
    assert is_random(bytes.fromhex("08a1b2c3"))
    assert not is_random(bytes.fromhex("08a1b2c3d4e580"))
    assert not is_random(ONE)


def presented(polls: list[bytes | None]) -> list[int]:
    presence = Presence()
    return [turn for turn, uid in enumerate(polls) if presence.is_new(uid, turn / 10)]


def test_a_card_that_is_held_is_presented_once() -> None:
    assert presented([None, ONE, ONE, ONE]) == [1]


def test_a_card_at_the_edge_of_the_field_is_still_held() -> None:
    assert presented([ONE, None, None, ONE, None, ONE]) == [0]


def test_a_card_that_was_away_is_presented_again() -> None:
    assert presented([ONE, *[None] * EMPTY_POLLS, ONE]) == [0, EMPTY_POLLS + 1]


def test_another_card_is_presented_at_once() -> None:
    assert presented([ONE, OTHER, ONE]) == [0, 1, 2]


def test_a_card_from_before_a_long_silence_is_presented_again() -> None:
    presence = Presence()
    assert presence.is_new(ONE, 1.0)
    assert not presence.is_new(ONE, 1.0 + FORGET_S)
    assert presence.is_new(ONE, 1.1 + 2 * FORGET_S)
