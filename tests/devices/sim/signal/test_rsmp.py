from __future__ import annotations

import asyncio
import io
import itertools
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from devices.sim.device import DeviceClock, Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.signal.rsmp import ALARMS, RsmpSite
from devices.sim.signal.rsmp_outbox import Outbox, Said
from devices.sim.signal.rsmp_program import SHOWN, SignalProgram
from devices.sim.signal.rsmp_site_session import SiteFacts
from devices.sim.signal.rsmp_supervisor import RsmpSupervisor
from ledger_sync.proof.event_types import event_type
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 7, 22, 12, 34, 56, 789_999, UTC)
FACTS = SiteFacts("KK", "KK=001", ("3.2.2",))


class Desk:
    """An outbox whose connection is a list, and its truth."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.outbox = Outbox("s", Truth(self.file), FACTS, confirms=True)
        self.sent: list[dict[str, Any]] = []

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.getvalue().splitlines()]

    def say(self, groups: str, before: str) -> None:
        self.outbox.say(Said.of_groups(groups, before, SHOWN, NOW, FACTS))

    def acknowledge(self) -> None:
        for message in self.sent:
            self.outbox.acknowledge(message["mId"])

    def statuses(self) -> list[tuple[str, str]]:
        return [(one["sS"][0]["s"], one["sS"][0]["q"]) for one in self.sent if one["type"] == "StatusUpdate"]


def test_the_same_seed_gives_the_same_program_and_each_step_changes_something() -> None:
    one, same, other = (list(itertools.islice(SignalProgram(seed).steps(), 200)) for seed in (7, 7, 8))
    assert one == same != other
    assert all(now != before for before, now in itertools.pairwise(one))
    assert set("".join(one)) <= set(SHOWN)


def test_no_two_stages_are_green_at_once() -> None:
    for groups in itertools.islice(SignalProgram(7).steps(), 3, 200):
        green = {number % 2 for number, one in enumerate(groups) if SHOWN[one].startswith("green")}
        assert len(green) <= 1


def test_what_it_says_in_the_truth_is_what_the_event_types_ask_for() -> None:
    said = Said.of_groups("1B", "BB", SHOWN, NOW, FACTS)
    assert [is_news for _, is_news in said.rows] == [True, False]
    for row, _ in said.rows:
        event_type("signal.phase").check(row | {"resolution_ms": 0, "cause": "change"})
        assert row["start_time"] == "2026-07-22T12:34:56.789Z"
    for code, (text, priority, values) in ALARMS.items():
        ((row, _),) = Said.of_alarm(code, text, priority, values, NOW, FACTS, active=True).rows
        event_type("signal.alarm").check(row)


def test_a_change_becomes_sure_when_it_is_acknowledged_and_what_stayed_never() -> None:
    desk = Desk()
    desk.outbox.connect(desk.sent.append)
    desk.outbox.subscribe()
    desk.say("1B", "BB")
    assert desk.rows() == []
    desk.acknowledge()
    assert [(row.get("data", {}).get("group"), row["sure"]) for row in desk.rows()] == [
        (1, False),
        (None, True),
        (2, False),
    ]


def test_what_is_said_while_the_link_is_down_is_kept_and_sent_as_old_in_order() -> None:
    desk = Desk()
    desk.outbox.connect(desk.sent.append)
    desk.outbox.subscribe()
    desk.say("1B", "BB")
    desk.outbox.disconnect()
    desk.say("NB", "1B")
    desk.say("BB", "NB")
    assert desk.statuses() == [("1B", "recent")]
    ids = {one["mId"] for one in desk.sent}
    desk.sent.clear()
    desk.outbox.connect(desk.sent.append)
    assert desk.statuses() == [("1B", "old"), ("NB", "old"), ("BB", "old")]
    assert not ids & {one["mId"] for one in desk.sent}


def test_without_a_subscription_no_status_is_sent_or_kept() -> None:
    desk = Desk()
    desk.say("1B", "BB")
    desk.outbox.connect(desk.sent.append)
    assert desk.sent == []
    desk.outbox.subscribe()
    desk.outbox.subscribe()
    assert desk.statuses() == [("1B", "recent")]


async def run_between(site: RsmpSite, supervisor: RsmpSupervisor, updates: int) -> None:
    running = asyncio.create_task(site.run())
    await until(lambda: supervisor.updates >= updates, "it has said so much")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_cuts_and_noise_lose_nothing_between_site_and_supervisor(tmp_path: Path) -> None:
    supervisor, truth = RsmpSupervisor(), io.StringIO()
    await supervisor.start()
    faults = FaultRates(noise=0.1, truncate=0.05, unplug=0.05, flip=1.0)
    options = {"port": supervisor.port, "reconnect_s": 0.02}
    site = RsmpSite(Placement("s", 3, tmp_path, interval_s=0.01, faults=faults, options=options), Truth(truth))
    await site.start()
    await run_between(site, supervisor, 80)
    await supervisor.close()
    arrived = {
        json.loads(one)["sTs"] for one in supervisor.wire.received if b"StatusUpdate" in one and one.endswith(b"}")
    }
    rows: dict[int, dict[str, Any]] = {}
    for line in truth.getvalue().splitlines():
        row = json.loads(line)
        rows.setdefault(row["number"], {}).update(row)
    sure = {row["data"]["start_time"] for row in rows.values() if row["sure"] and row["type"] == "signal.phase"}
    assert site.connections > 2
    assert len(sure) > 30
    assert sure <= arrived


async def test_its_clock_drifts_as_it_is_told(tmp_path: Path) -> None:
    supervisor = RsmpSupervisor()
    await supervisor.start()
    clock = DeviceClock(NOW - timedelta(days=1))
    options = {"port": supervisor.port, "reconnect_s": 0.02}
    site = RsmpSite(Placement("s", 3, tmp_path, interval_s=0.01, clock=clock, options=options), Truth())
    await site.start()
    await run_between(site, supervisor, 3)
    await supervisor.close()
    assert all(b"2026-07-21T12:" in one for one in site.wire.sent if b"StatusUpdate" in one)


async def test_an_own_supervisor_makes_the_gateway_a_listener(tmp_path: Path) -> None:
    site = RsmpSite(Placement("s", 3, tmp_path, options={"proxied": True}), Truth())
    await site.start()
    settings = site.settings()
    assert settings.keys() == {"driver", "port", "supervisor", "relay_socket", "relay_idle_s"}
    assert settings["port"] != settings["supervisor"]
    assert site.supervisor is not None
    await site.supervisor.close()
