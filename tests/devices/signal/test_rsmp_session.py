from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Recorded, Refused, WireCounters
from devices.signal.rsmp_message import Message, decode_message
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_session import VERSIONS, SessionError, SessionSettings, SupervisorSession
from tests.devices.signal.rsmp_words import AT, SITE, raw, update, version

if TYPE_CHECKING:
    from devices.driver import Reading

NOW = datetime(2026, 2, 3, 4, 5, 6, 7000, UTC)
DEFAULTS = SessionSettings(site_id=None, component=None, ack_timeout_s=30.0, watchdog_s=60.0)


class Meeting:
    """A session, and a site written out by hand; the clock stands until it is set."""

    def __init__(self, **settings: Any) -> None:
        self.counters = WireCounters()
        self.session = SupervisorSession(DEFAULTS._replace(**settings), SiteObserver(self.counters), utc=lambda: NOW)
        self.at_s = 100.0
        self.readings: list[Reading] = []

    def say(self, *messages: bytes) -> list[Message]:
        """The site says this; gives what it is answered."""
        for one in messages:
            self.readings += self.session.receive(one, self.at_s)
        return self.answers()

    def is_established(self) -> bool:
        return self.session.is_established

    def answers(self) -> list[Message]:
        outgoing, self.session.outgoing = self.session.outgoing, []
        return [decode_message(one.removesuffix(b"\f")) for one in outgoing]

    def accept(self, asked: list[Message]) -> list[Message]:
        return self.say(*(raw("MessageAck", one.id) for one in asked if not one.is_acknowledgement))

    def shake_hands(self, *versions: str) -> list[Message]:
        """Up to and with the supervisor's first watchdog."""
        self.accept(self.say(version(*(versions or ("3.2.2",)))))
        return self.say(raw("Watchdog", "w-1", wTs=AT))

    def work(self) -> list[Message]:
        """Up to and with the subscription, all acknowledged."""
        asked = [*self.shake_hands(), *self.say(raw("AggregatedStatus", "a-1", cId=SITE))]
        self.accept(asked)
        return asked


def kinds(messages: list[Message]) -> list[str]:
    return [one.type for one in messages]


def test_the_handshake_is_in_the_standards_order() -> None:
    meeting = Meeting()
    acknowledged, own = meeting.say(version("3.1.5", "3.2.2"))
    assert (acknowledged.type, acknowledged.id) == ("MessageAck", "v-1")
    assert own.body["RSMP"] == [{"vers": one} for one in VERSIONS]
    assert own.body["siteId"] == [{"sId": SITE}]
    assert own.body["SXL"] == "1.2.1"
    assert not meeting.is_established()
    assert meeting.say(raw("MessageAck", own.id)) == []
    answers = meeting.say(raw("Watchdog", "w-1", wTs=AT))
    assert kinds(answers) == ["MessageAck", "Watchdog"]
    assert answers[1].body["wTs"] == "2026-02-03T04:05:06.007Z"
    assert meeting.is_established()
    answers = meeting.say(raw("AggregatedStatus", "a-1", cId=SITE))
    assert kinds(answers) == ["MessageAck", "StatusSubscribe"]
    assert answers[1].body["cId"] == SITE
    assert answers[1].body["sS"] == [{"sCI": "S0001", "n": "signalgroupstatus", "uRt": "0", "sOc": True}]


def test_before_3_1_5_a_change_is_asked_for_by_an_update_rate_of_0() -> None:
    meeting = Meeting(component="tlc")
    (_, _, subscription) = meeting.shake_hands("3.1.3", "3.1.4")
    assert subscription.body["cId"] == "tlc"
    assert subscription.body["sS"] == [{"sCI": "S0001", "n": "signalgroupstatus", "uRt": "0"}]


def test_a_configured_component_is_the_only_one_that_is_asked() -> None:
    meeting = Meeting(component="tlc")
    meeting.shake_hands()
    assert kinds(meeting.say(raw("AggregatedStatus", "a-1", cId=SITE))) == ["MessageAck"]


def test_each_component_is_subscribed_to_once() -> None:
    meeting = Meeting()
    meeting.shake_hands()
    status = [raw("AggregatedStatus", f"a-{number}", cId=one) for number, one in enumerate("xyx")]
    asked = [one.body["cId"] for one in meeting.say(*status) if one.type == "StatusSubscribe"]
    assert asked == ["x", "y"]


@pytest.mark.parametrize(
    ("greeting", "settings", "why"),
    [
        (version("3.1.1\n\x1b", "9.9"), {}, r"RSMP versions \[3.1.1,9.9\] requested, but only \[3.1.2,"),
        (version("3.2.2"), {"site_id": "KK"}, "Site id KK is expected here"),
        (version("3.2.2", site_id=""), {}, "names no site id"),
    ],
)
def test_a_site_that_does_not_match_is_refused_with_the_reason(
    greeting: bytes, settings: dict[str, Any], why: str
) -> None:
    meeting = Meeting(**settings)
    with pytest.raises(SessionError, match=why):
        meeting.say(greeting)
    (answer,) = meeting.answers()
    assert (answer.type, answer.id) == ("MessageNotAck", "v-1")


def test_before_its_version_nothing_of_a_site_is_acknowledged() -> None:
    meeting = Meeting()
    assert meeting.say(raw("Watchdog", wTs=AT), update("1")) == []
    assert meeting.readings == []
    assert meeting.counters.errors == 2


def test_a_status_is_acknowledged_only_after_all_of_it_is_recorded() -> None:
    meeting = Meeting()
    meeting.work()
    assert meeting.say(update("1B")) == []
    first, second = meeting.readings
    meeting.session.answered(second, Recorded())
    assert meeting.answers() == []
    meeting.session.answered(first, Recorded())
    (answer,) = meeting.answers()
    assert (answer.type, answer.id) == ("MessageAck", decode_message(update("1B")).id)
    meeting.session.answered(first, Recorded())
    assert meeting.answers() == []


def test_what_will_never_be_recorded_is_refused() -> None:
    meeting = Meeting()
    meeting.work()
    meeting.say(update("1"))
    meeting.session.answered(meeting.readings[0], Refused("no room for it"))
    (answer,) = meeting.answers()
    assert (answer.type, answer.body["rea"]) == ("MessageNotAck", "no room for it")


def test_a_status_that_changes_nothing_is_acknowledged_at_once() -> None:
    meeting = Meeting()
    meeting.work()
    meeting.say(update("1"))
    assert kinds(meeting.say(update("1", at="2015-06-08T09:34:04.735Z"))) == ["MessageAck"]


@pytest.mark.parametrize("kind", ["Watchdddog", "StatusSubscribe", "Version", "CommandRequest"])
def test_what_a_site_does_not_send_is_refused(kind: str) -> None:
    meeting = Meeting()
    meeting.work()
    (answer,) = meeting.say(raw(kind, "x-1"))
    assert (answer.type, answer.id) == ("MessageNotAck", "x-1")
    assert answer.body["rea"] == f"Unexpected packet type: {kind}"


def test_garbage_is_a_counted_error_and_the_session_goes_on() -> None:
    meeting = Meeting()
    meeting.work()
    assert meeting.say(b"\x00\xff garbage") == []
    assert meeting.counters.errors == 1
    assert kinds(meeting.say(raw("Watchdog", wTs=AT))) == ["MessageAck"]


def test_a_watchdog_goes_out_each_interval() -> None:
    meeting = Meeting(watchdog_s=10.0)
    meeting.work()
    assert meeting.session.next_s == 110.0
    meeting.session.tick(109.9)
    assert meeting.answers() == []
    meeting.session.tick(110.0)
    assert kinds(meeting.answers()) == ["Watchdog"]


def test_a_missing_acknowledgement_ends_the_session() -> None:
    meeting = Meeting()
    meeting.say(version("3.2.2"))
    assert meeting.session.next_s == 130.0
    meeting.session.tick(129.9)
    with pytest.raises(SessionError, match="has not acknowledged a Version within 30 s"):
        meeting.session.tick(130.0)


def test_a_site_that_names_no_component_ends_the_session_and_tells_the_key() -> None:
    meeting = Meeting()
    meeting.accept(meeting.shake_hands())
    with pytest.raises(SessionError, match="set `component`"):
        meeting.session.tick(130.0)


@pytest.mark.parametrize("kind", ["Version", "StatusSubscribe"])
def test_a_refusal_of_what_the_session_needs_ends_it_with_the_reason(kind: str) -> None:
    meeting = Meeting()
    asked = meeting.say(version("3.2.2"))
    if kind == "StatusSubscribe":
        meeting.accept(asked)
        meeting.say(raw("Watchdog", wTs=AT))
        asked = meeting.say(raw("AggregatedStatus", "a-1", cId=SITE))
    (own,) = (one for one in asked if one.type == kind)
    with pytest.raises(SessionError, match=rf"does not accept a {kind} \(unknown thing\)"):
        meeting.say(raw("MessageNotAck", own.id, rea="unknown\n\x1b thing"))


def test_an_acknowledgement_that_nobody_waits_for_is_counted() -> None:
    meeting = Meeting()
    meeting.work()
    assert meeting.say(raw("MessageAck", "stranger")) == []
    assert meeting.counters.errors == 1


def test_the_subscription_makes_changes_known_at_once() -> None:
    meeting = Meeting()
    meeting.work()
    meeting.say(update("1"))
    assert meeting.readings[0].data["resolution_ms"] == 0
