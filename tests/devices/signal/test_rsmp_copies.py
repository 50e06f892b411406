from __future__ import annotations

import json
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.signal.rsmp_copies import HEADER, Copies, Kind

KEEP_BYTES = 500


class Gateway:
    """Takes the records of copies that are there, without waiting for more."""

    def __init__(self, copies: Copies) -> None:
        self.copies = copies
        copies.attach({"notice": "hello"})
        self.hello = json.loads(self.take()[0][2])

    def take(self) -> list[tuple[Kind, int, bytes]]:
        taken = []
        while record := self.copies._take():
            kind, number, length = HEADER.unpack_from(record)
            assert len(record) == HEADER.size + length
            taken.append((Kind(kind), number, record[HEADER.size :]))
            if number == 0:
                break
        return taken

    def take_all(self) -> list[tuple[Kind, int, bytes]]:
        taken, more = [], self.take()
        while more:
            taken += more
            more = self.take()
        return taken

    def notices(self) -> list[dict[str, Any]]:
        return [json.loads(content) for kind, _, content in self.take_all() if kind is Kind.NOTICE]


def messages(taken: list[tuple[Kind, int, bytes]]) -> list[bytes]:
    return [content for kind, _, content in taken if kind is not Kind.NOTICE]


def test_what_came_while_nobody_was_attached_is_given_to_who_attaches() -> None:
    copies = Copies(KEEP_BYTES)
    copies.add(Kind.SITE, b"one")
    copies.add(Kind.SUPERVISOR, b"two")
    gateway = Gateway(copies)
    assert gateway.hello == {"notice": "hello", "connections": 0, "kept": 2}
    assert gateway.take_all() == [(Kind.SITE, 1, b"one"), (Kind.SUPERVISOR, 2, b"two")]
    copies.add(Kind.SITE, b"three")
    assert gateway.take_all() == [(Kind.SITE, 3, b"three")]


def test_what_was_not_settled_is_given_to_the_next_gateway() -> None:
    copies = Copies(KEEP_BYTES)
    for content in (b"one", b"two", b"three"):
        copies.add(Kind.SITE, content)
    Gateway(copies).take_all()
    copies.settle(2)
    copies.detach()
    assert messages(Gateway(copies).take_all()) == [b"three"]


def test_a_gateway_cannot_settle_what_it_was_not_given() -> None:
    copies = Copies(KEEP_BYTES)
    Gateway(copies)
    copies.add(Kind.SITE, b"one")
    copies.settle(1)
    copies.detach()
    assert messages(Gateway(copies).take_all()) == [b"one"]


def test_the_oldest_go_whole_and_are_counted() -> None:
    copies = Copies(KEEP_BYTES)
    for number in range(100):
        copies.add(Kind.SITE, b"%04d" % number)
    gateway = Gateway(copies)
    notice, *rest = gateway.take_all()
    dropped = json.loads(notice[2])
    assert dropped["notice"] == "dropped"
    assert dropped["bytes"] == 4 * dropped["messages"]
    assert messages(rest) == [b"%04d" % number for number in range(dropped["messages"], 100)]
    assert messages(rest)
    assert gateway.take_all() == []


def test_what_was_too_long_to_be_copied_is_told() -> None:
    copies = Copies(KEEP_BYTES)
    gateway = Gateway(copies)
    copies.lost(1, 70_000)
    copies.lost(0, 0)
    assert gateway.notices() == [{"notice": "dropped", "messages": 1, "bytes": 70_000}]


def test_the_past_tells_a_gateway_that_comes_late_what_still_counts() -> None:
    copies = Copies(KEEP_BYTES)
    former = Gateway(copies)
    for kind, content in (
        (Kind.SITE, b'{"type":"Version","a":1}'),
        (Kind.SITE, b'{"sCI":"S0001","s":"B"}'),
        (Kind.SITE, b'{"type":"Version","a":2}'),
        (Kind.SUPERVISOR, b'{"type":"StatusSubscribe"}'),
        (Kind.SITE, b'{"type":"Watchdog"}'),
        (Kind.SITE, b'{"sCI":"S0001","s":"0"}'),
        (Kind.SITE, b'{"sCI":"S0001","s":"1"}'),
    ):
        copies.add(kind, content)
    former.take_all()
    copies.settle(6)
    copies.detach()
    assert Gateway(copies).take_all() == [
        (Kind.SITE, 0, b'{"type":"Version","a":2}'),
        (Kind.SUPERVISOR, 0, b'{"type":"StatusSubscribe"}'),
        (Kind.SITE, 0, b'{"sCI":"S0001","s":"0"}'),
        (Kind.SITE, 7, b'{"sCI":"S0001","s":"1"}'),
    ]


def test_a_gateway_is_told_of_connections_after_the_copies_and_only_while_attached() -> None:
    copies = Copies(KEEP_BYTES)
    copies.connected()
    gateway = Gateway(copies)
    assert gateway.hello["connections"] == 1
    copies.add(Kind.SITE, b"last words")
    copies.disconnected()
    assert [kind for kind, _, _ in gateway.take_all()] == [Kind.SITE, Kind.NOTICE]
    copies.detach()
    assert Gateway(copies).notices() == []


def test_detaching_wakes_who_waits_for_a_record() -> None:
    copies = Copies(KEEP_BYTES)
    Gateway(copies)
    taken: list[bytes] = []
    waiting = threading.Thread(target=lambda: taken.append(copies.next_record()))
    waiting.start()
    copies.detach()
    waiting.join(10)
    assert taken == [b""]


@given(st.lists(st.binary(min_size=1, max_size=300) | st.sampled_from(["attach", "detach", "settle"]), max_size=80))
def test_it_stays_under_its_bound_and_accounts_for_every_message(steps: list[bytes | str]) -> None:
    copies, gateway = Copies(KEEP_BYTES), None
    added: list[bytes] = []
    given_at: dict[int, bytes] = {}
    dropped = settled = 0
    for step in [*steps, "detach", "attach"]:
        if isinstance(step, bytes):
            copies.add(Kind.SITE, step)
            added.append(step)
        elif step == "attach":
            copies.detach()
            gateway = Gateway(copies)
        elif step == "detach":
            copies.detach()
            gateway = None
        elif gateway is not None and given_at:
            copies.settle(settled := max(given_at))
        for kind, number, content in gateway.take_all() if gateway else ():
            if kind is Kind.NOTICE:
                dropped += json.loads(content)["messages"]
            elif number:
                assert given_at.setdefault(number, content) == content == added[number - 1]
                assert number > settled
        assert copies._kept_bytes == sum(map(len, copies._kept.values())) <= KEEP_BYTES
    assert len(added) == len(given_at) + dropped
