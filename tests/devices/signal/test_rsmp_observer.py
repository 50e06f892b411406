from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.driver import Origin, WireCounters
from devices.signal.rsmp_message import MessageError, decode_message
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_phases import GROUPS_MAX, SIGNAL_STATES, PhaseChanges
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type
from tests.devices.signal.rsmp_words import AT, SITE, alarm, raw, subscribe, update, version

if TYPE_CHECKING:
    from pathlib import Path

    from devices.driver import Reading

STATEMENT_ROOM = 3600
"""What a statement of 4 KiB leaves for data, roughly."""


class Site:
    """An observer, and what it makes of bytes."""

    def __init__(self, site_id: str | None = None) -> None:
        self.counters = WireCounters()
        self.observer = SiteObserver(self.counters, site_id)

    def say(self, *messages: bytes) -> list[Reading]:
        return [reading for one in messages for reading in self.observer.from_site(decode_message(one))]

    def phases(self, *messages: bytes) -> list[tuple[Any, ...]]:
        data = [one.data for one in self.say(*messages)]
        return [(one["group"], one["state"], one["raw"], one["cause"]) for one in data]


def test_the_meaning_of_every_character_is_the_signal_exchange_lists() -> None:
    outputs = {
        "dark": "ab",
        "yellow_flashing": "c",
        "red_flashing": "d",
        "starting": "ef",
        "red": "ghABCDEFGP",
        "red_yellow": "0",
        "green": "12345678",
        "green_flashing": "9",
        "yellow": "NO",
    }
    assert {one: state for state, characters in outputs.items() for one in characters} == SIGNAL_STATES


def test_the_characters_are_those_that_the_schema_of_s0001_allows(corpora: Path) -> None:
    schema = json.loads((corpora / "signals/rsmp/schemas/tlc/1.2.1/statuses/S0001.json").read_text())
    pattern = json.dumps(schema).partition('"pattern": "^[')[2].partition("]")[0]
    assert pattern == "a-hA-G0-9N-P"
    assert sorted(SIGNAL_STATES) == sorted("abcdefghABCDEFG0123456789NOP")


def test_the_specifications_status_update_gives_each_group_once(corpora: Path) -> None:
    examples = json.loads((corpora / "signals/rsmp/examples.json").read_text())
    messages = [json.dumps(one).encode() for one in examples if one["type"] == "StatusUpdate"]
    readings = Site().say(*messages)
    assert [(one.data["group"], one.data["raw"]) for one in readings] == list(enumerate("A021BC01", 1))
    assert readings[1].data == {
        "controller": SITE,
        "component": SITE,
        "group": 2,
        "state": "red_yellow",
        "start_time": AT,
        "source": "push",
        "resolution_ms": 3_600_000,
        "cause": "opening",
        "raw": "0",
    }
    assert readings[1].origin is Origin.UNPROTECTED


def test_only_groups_whose_character_changed_are_told_again() -> None:
    site = Site()
    site.say(update("1B4"))
    assert site.phases(update("1B4"), update("NB4"), update("N04")) == [
        (1, "yellow", "N", "change"),
        (2, "red_yellow", "0", "change"),
    ]


def test_a_group_that_does_not_exist_is_told_only_when_it_had_been_there() -> None:
    site = Site()
    assert [one[:2] for one in site.phases(update("1-B"))] == [(1, "green"), (3, "red")]
    assert site.phases(update("--B")) == [(1, "unknown", "-", "change")]
    assert site.phases(update("-")) == [(3, "unknown", "-", "change")]


def test_a_character_that_nobody_knows_is_unknown_and_kept() -> None:
    assert Site().phases(update("Zx")) == [(1, "unknown", "Z", "opening"), (2, "unknown", "x", "opening")]
    (reading,) = Site().say(update("\x07"))
    assert "raw" not in reading.data


def test_components_are_followed_apart() -> None:
    site = Site()
    site.say(update("1", component="a"), update("B", component="b"))
    (changed,) = site.say(update("1", component="a"), update("0", component="b"))
    assert (changed.data["component"], changed.data["state"]) == ("b", "red_yellow")


def test_what_a_link_tells_first_is_an_opening() -> None:
    site = Site()
    site.say(version("3.2.2"), update("1B"))
    assert site.phases(version("3.2.2"), update("1B")) == [(1, "green", "1", "opening"), (2, "red", "B", "opening")]


def test_buffered_statuses_are_followed_on_a_track_of_their_own() -> None:
    site = Site()
    site.say(version("3.2.2"), update("B1", at="2015-06-08T10:00:00.000Z"))
    old = update("NB", quality="old"), update("BB", quality="old"), update("B1", quality="old")
    assert site.phases(*old) == [
        (1, "yellow", "N", "opening"),
        (2, "red", "B", "opening"),
        (1, "red", "B", "change"),
        (2, "green", "1", "change"),
    ]
    assert site.phases(update("B9")) == [(2, "green_flashing", "9", "change")]


def test_what_was_heard_on_a_broken_link_and_perhaps_not_recorded_is_told_again() -> None:
    site = Site()
    site.say(version("3.2.2"), update("1"), update("N"))
    assert site.phases(version("3.2.2"), update("N", quality="old")) == [(1, "yellow", "N", "opening")]


def test_the_same_status_sent_again_has_the_same_id_under_a_new_message_id() -> None:
    first, again = Site(), Site()
    one = first.say(update("1B"))
    two = again.say(update("1B").replace(b'"u-', b'"other-'))
    assert [reading.id for reading in one] == [reading.id for reading in two]
    assert len({reading.id for reading in one}) == 2
    assert one[0].id != Site().say(update("1B", at="2015-06-08T09:33:04.736Z"))[0].id


def test_a_status_without_time_is_told_apart_by_its_message() -> None:
    untimed = Site().say(update("1", at=""))
    assert untimed[0].data["start_time"] is None
    assert untimed[0].id != Site().say(update("1", at="").replace(b'"u-', b'"other-'))[0].id


@pytest.mark.parametrize(
    ("rate", "on_change", "resolution_ms"),
    [
        ("0", True, 0),
        ("5", True, 0),
        ("5", False, 5000),
        ("2.5", False, 2500),
        ("0", None, 0),
        ("999999", False, 3600000),
    ],
)
def test_the_resolution_is_what_the_supervisor_subscribed_to(
    rate: str,
    on_change: bool | None,  # noqa: FBT001 - what stands in the message
    resolution_ms: int,
) -> None:
    site = Site()
    site.observer.from_supervisor(decode_message(subscribe("1", on_change=False, name="stage")))
    site.observer.from_supervisor(decode_message(subscribe(rate, on_change=on_change)))
    (reading,) = site.say(update("1"))
    assert reading.data["resolution_ms"] == resolution_ms


def test_an_unknown_resolution_is_the_coarsest() -> None:
    site = Site()
    site.observer.from_supervisor(decode_message(subscribe("5", on_change=True)))
    site.observer.from_supervisor(decode_message(subscribe("5", on_change=True).replace(b"Subscribe", b"Unsubscribe")))
    assert site.say(update("1"))[0].data["resolution_ms"] == 3_600_000
    polled = Site().say(update("1", kind="Response"))[0].data
    assert (polled["source"], polled["resolution_ms"]) == ("poll", 3_600_000)


def test_the_controller_is_the_configured_site_or_what_the_site_calls_itself() -> None:
    assert Site("north").say(version("3.2.2"), update("1"))[0].data["controller"] == "north"
    assert Site().say(version("3.2.2", site_id="KK"), update("1"))[0].data["controller"] == "KK"


def test_a_name_of_itself_that_is_too_long_silences_no_site() -> None:
    site = Site()
    (reading,) = site.say(version("3.2.2", site_id="x" * 65), alarm())
    assert reading.data["controller"] == reading.data["component"]
    assert site.counters.errors == 0


def test_an_alarm_is_told_with_all_that_it_says() -> None:
    (reading,) = Site("north").say(alarm(ack="Acknowledged", sS="Suspended", aSp="Suspend"))
    assert reading.type == "signal.alarm"
    assert reading.data == {
        "controller": "north",
        "component": SITE,
        "alarm": "A0202",
        "state": "active",
        "change": "suspend",
        "acknowledged": True,
        "suspended": True,
        "category": "D",
        "priority": 3,
        "device_time": AT,
        "text": "Lamp error #14",
        "values": [{"name": "color", "value": "red"}],
    }


def test_alarms_of_the_specification_are_told_and_requests_are_not(corpora: Path) -> None:
    examples = json.loads((corpora / "signals/rsmp/examples.json").read_text())
    alarms = [one for one in examples if one["type"] == "Alarm"]
    told = Site("north").say(*(json.dumps(one).encode() for one in alarms))
    assert [one.data["change"] for one in told] == [one["aSp"].lower() for one in alarms if "aS" in one]
    assert [one.data["suspended"] for one in told] == [one["sS"] == "Suspended" for one in alarms if "aS" in one]


def test_case_before_3_2_counts_alike() -> None:
    (reading,) = Site("north").say(alarm(aS="inActive", aSp="issue", ack="notacknowledged"))
    assert (reading.data["state"], reading.data["change"], reading.data["acknowledged"]) == ("inactive", "issue", False)


def test_an_empty_return_value_is_null_and_an_array_is_json() -> None:
    values = Site("north").say(alarm(rvs=[{"n": "a", "v": ""}, {"n": "b", "v": [{"x": "1"}]}]))[0].data["values"]
    assert values == [{"name": "a", "value": None}, {"name": "b", "value": '[{"x":"1"}]'}]


@pytest.mark.parametrize(
    "members",
    [
        {"xACId": "x" * 121},
        {"rvs": [{"n": "x", "v": "ö" * 121}]},
        {"rvs": [{"n": "x" * 33, "v": "1"}]},
        {"rvs": [{"n": "x", "v": "1"}] * 17},
        {"rvs": [{"n": "x", "v": "€" * 120}] * 16},
        {"rvs": [{"n": "", "v": "1"}]},
    ],
)
def test_what_is_too_long_is_cut_and_said_to_be(members: dict[str, Any]) -> None:
    (reading,) = Site("north").say(alarm(**members))
    assert reading.data["cut"] is True
    assert len(encode_data(event_type(reading.type), reading.data)) <= STATEMENT_ROOM


@pytest.mark.parametrize(
    "message",
    [
        update(None, quality="unknown"),
        update([1]),
        update("1" * (GROUPS_MAX + 1)),
        update("1", component=""),
        update("1", component="x" * 65),
        alarm(aS="maybe"),
        alarm(aCId=""),
        alarm(cId="x" * 65),
        alarm(aSp="Explode"),
    ],
)
def test_what_cannot_be_told_is_a_counted_error(message: bytes) -> None:
    site = Site()
    assert site.say(message) == []
    assert site.counters.errors == 1
    assert site.counters.last_error


def test_a_site_with_too_many_components_is_a_counted_error() -> None:
    site = Site()
    for number in range(40):
        site.say(update("1", component=f"c-{number}"))
    assert site.counters.errors == 8


_VALUES = st.none() | st.text(max_size=200) | st.integers() | st.lists(st.text(max_size=3), max_size=2)
_ROWS = st.lists(
    st.fixed_dictionaries({"sCI": st.just("S0001"), "n": st.just("signalgroupstatus"), "s": _VALUES, "q": _VALUES})
    | st.dictionaries(st.sampled_from(["n", "v", "sId"]), _VALUES),
    max_size=20,
)


@given(
    st.sampled_from(["StatusUpdate", "StatusResponse", "Alarm", "Version", "StatusSubscribe"]),
    st.dictionaries(
        st.sampled_from(["cId", "sTs", "aTs", "aCId", "aSp", "aS", "ack", "pri", "cat", "xACId"]),
        _VALUES | st.sampled_from(["Active", "Issue", "3", AT]),
    ),
    st.dictionaries(st.sampled_from(["sS", "rvs", "siteId"]), _ROWS | _VALUES),
)
def test_every_message_gives_events_that_can_be_signed_or_counted_errors(
    kind: str, texts: dict[str, Any], rows: dict[str, Any]
) -> None:
    site = Site()
    try:
        message = decode_message(raw(kind, **texts, **rows))
    except MessageError:
        return
    site.observer.from_supervisor(message)
    for reading in site.observer.from_site(message):
        assert len(encode_data(event_type(reading.type), reading.data)) <= STATEMENT_ROOM
        assert reading.id


@given(st.lists(st.text("1BN-", max_size=5), min_size=1))
def test_changes_add_up_to_how_the_groups_stand(statuses: list[str]) -> None:
    changes, known = PhaseChanges(), dict[int, str]()
    for characters in statuses:
        for state in changes.look("c", characters, is_old=False):
            assert known.get(state.group, "-") != state.character
            known[state.group] = state.character
        for group in range(1, 6):
            assert known.get(group, "-") == characters.ljust(5, "-")[group - 1]
