"""What a line device is told (DESIGN 11, last bullet), and that it holds across stops, kills and outages."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from typing import Any

import pytest

from tests.e2e.black_box import (
    LineDevice,
    told,
    until,
    wayside,
)
from tests.e2e.city import TAP, City, tap

pytestmark = pytest.mark.xdist_group("command-line")


def refused_lines() -> dict[bytes, tuple[str | None, str]]:
    def line(**members: Any) -> bytes:
        return json.dumps({"id": "r", "type": "fare.tap", "data": TAP, **members}).encode()

    return {
        line(data={"direction": "in", "zone": 1.5}): ("r", "send an integer or a decimal string"),
        line(data={"direction": "in", "zone": 1e3}): ("r", "send an integer or a decimal string"),
        b'{"id": "r", "type": "fare.tap", "data": {"direction": "in", "zone": NaN}}': ("r", "decimal string"),
        line(data={"direction": "up"}): ("r", "direction"),
        line(data={}): ("r", "direction"),
        line(data=[]): ("r", "data must be an object"),
        line(type="no.such"): ("r", "no event type"),
        line(type="gateway.start"): ("r", "the gateway's own"),
        line(data={"direction": "in", "token": "4111 1111 1111 1111"}): ("r", "card number"),
        line(data={"direction": "in", "colour": "red"}): ("r", "colour"),
        line(id=""): (None, "id"),
        line(id="x" * 65): (None, "id"),
        line(id="ö" * 33): (None, "id"),
        line(id=7): (None, "id"),
        line(more=1): ("r", "keys"),
        b'{"id": "r"}': ("r", "keys"),
        b'"text"': (None, "object"),
        b"[1, 2]": (None, "object"),
        b"not json": (None, "JSON"),
        b"\xff\xfe": (None, "UTF-8"),
        line(data={"direction": "in", "token": "x" * 5000}): (None, "4096"),
        b"[" * 4000: (None, ""),
    }


def test_what_is_no_reading_is_refused_and_not_recorded(city: City, device: LineDevice) -> None:
    name = "gate-pty" if device is city.pty else "gate-tcp"
    before = sum(event["device"] == name for event in city.events())
    for line, (line_id, why) in refused_lines().items():
        (answer,) = device.say(line)
        assert answer.keys() == {"refused", "why"}, line[:80]
        assert answer["refused"] == line_id, line[:80]
        assert why in answer["why"], line[:80]
    assert sum(event["device"] == name for event in city.events()) == before
    # A refused id is not remembered.
    assert device.say(tap("r")) == [{"ack": "r"}]


def test_the_same_id_is_acknowledged_again_and_recorded_once(city: City, device: LineDevice) -> None:
    once = tap("once", token="first", product=7)
    reordered = {"data": dict(reversed(once["data"].items())), "type": once["type"], "id": "once"}
    assert device.say(once, once, reordered) == [{"ack": "once"}] * 3
    (refused,) = device.say(tap("once", token="other"))
    assert refused["refused"] == "once"
    assert device.say(once) == [{"ack": "once"}]
    name = "gate-pty" if device is city.pty else "gate-tcp"
    tokens = [event["data"].get("token") for event in city.events() if event["device"] == name]
    assert tokens.count("first") == 1
    assert tokens.count("other") == 0


@pytest.mark.parametrize("line_id", ["x", "x" * 64, "ö" * 32, '"\\\n\u2028', " "])
def test_any_id_of_1_to_64_bytes_is_acknowledged_as_it_is(device: LineDevice, line_id: str) -> None:
    assert device.say(tap(line_id)) == [{"ack": line_id}]


def test_an_acknowledged_event_is_in_the_journal_at_once(city: City, device: LineDevice) -> None:
    name = "gate-pty" if device is city.pty else "gate-tcp"
    assert device.say(tap("at-once", token="at-once", zone="a")) == [{"ack": "at-once"}]
    tokens = [event["data"].get("token") for event in city.events() if event["device"] == name]
    assert tokens.count("at-once") == 1


def test_lines_that_come_in_one_breath_are_answered_each_and_in_order(device: LineDevice) -> None:
    lines = [tap(f"breath-{number}") for number in range(100)]
    assert device.say(*lines) == [{"ack": line["id"]} for line in lines]


def test_empty_lines_and_carriage_returns_are_passed_over(device: LineDevice) -> None:
    device.send(b"\n\r\n   \n")
    assert device.say(json.dumps(tap("after-nothing")).encode() + b"\r") == [{"ack": "after-nothing"}]


# --- the end, and a new beginning --------------------------------------------------------------------------------


def test_sigterm_records_the_stop_seals_and_exits_0_within_5_s(city: City) -> None:
    assert city.gateway is not None
    # Taps keep coming: whatever was taken comes before the stop.
    pouring = threading.Thread(target=city.tcp.pour, args=([tap(f"poured-{number}") for number in range(20_000)],))
    pouring.start()
    city.tcp.answers(100)
    taken_s = city.gateway.stop()
    city.gateway = None
    pouring.join()
    try:
        assert taken_s < 5
        events = city.events()
        assert (events[-1]["type"], events[-1]["device"]) == ("gateway.stop", "gw-1")
        assert "open" not in {event["state"] for event in events}
        wayside("journal", "verify", "--config", city.config)
    finally:
        city.start_gateway()
    # What was published at the end is answered to the next run.
    until(lambda: city.receipted()[-1:] and city.receipted()[len(events) - 1 :])
    assert city.tcp.greet(tap("again")) == {"ack": "again"}


def test_ids_are_remembered_across_a_restart_and_a_kill(city: City) -> None:
    assert city.gateway is not None
    city.pty.say(tap("kept", token="kept"))
    city.tcp.greet(tap("kept", token="kept"))
    for end in ("SIGTERM", "SIGKILL"):
        if end == "SIGTERM":
            city.gateway.stop()
        else:
            city.gateway.kill()
        city.start_gateway()
        assert city.pty.greet(tap("kept", token="kept")) == {"ack": "kept"}
        assert city.tcp.greet(tap("kept", token="kept")) == {"ack": "kept"}
        (refused,) = city.pty.say(tap("kept", token="another"))
        assert refused["refused"] == "kept"
        assert city.pty.say(tap(f"after {end}")) == [{"ack": f"after {end}"}]
    tokens = [event["data"].get("token") for event in city.events()]
    assert tokens.count("kept") == 2, "once a device"
    assert tokens.count("another") == 0


def test_a_broker_that_hangs_does_not_hold_the_stop(city: City) -> None:
    assert city.gateway is not None
    until(lambda: "connected" in (city.directory / "gateway.log").read_text())
    city.tcp.greet(tap("before-the-freeze"))
    city.broker.freeze()
    try:
        city.tcp.say(tap("frozen", token="frozen"))
        taken_s = city.gateway.stop(signal.SIGINT)
    finally:
        city.broker.thaw()
        city.start_gateway()
    assert taken_s < 5
    city.tcp.greet(tap("thawed"))
    assert [event["data"].get("token") for event in city.events()].count("frozen") == 1


def test_the_ledger_stops_in_order_and_loses_nothing(city: City) -> None:
    assert city.ledger is not None
    assert city.ledger.stop() < 5
    size = told("ledger", "status", "--config", city.ledger_config)["size"]
    city.tcp.greet(tap("while-the-ledger-is-away"))
    city.start_ledger()
    until(lambda: told("ledger", "status", "--config", city.ledger_config)["size"] > size)
    sequences = [event["sequence"] for event in city.events()]
    assert all(later == earlier + 1 for earlier, later in itertools.pairwise(sequences))
