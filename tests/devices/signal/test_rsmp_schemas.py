"""Every message that driver and simulators send is valid by RSMP's own JSON Schemas (core, and the list for traffic
lights)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Recorded, Refused, WireCounters
from devices.signal.rsmp_message import decode_message
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_session import VERSIONS, SessionSettings, SupervisorSession
from devices.sim.device import Placement, Truth
from devices.sim.signal.rsmp import RsmpSite
from tests.devices.signal.rsmp_relays import RelayProcess, short_folder
from tests.devices.signal.rsmp_words import AT, SITE, raw, update, version
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["short_folder"]

jsonschema = pytest.importorskip("jsonschema", reason="the JSON Schemas of RSMP are checked with jsonschema")
referencing = pytest.importorskip("referencing", reason="comes with jsonschema")
draft_7 = pytest.importorskip("referencing.jsonschema", reason="comes with jsonschema").DRAFT7
SXL_VERSIONS = ("1.2.0", "1.2.1")
KINDS_OF_A_SITE = {"Version", "Watchdog", "AggregatedStatus", "Alarm", "StatusUpdate", "MessageAck"}
KINDS_OF_A_SUPERVISOR = {"Version", "Watchdog", "StatusSubscribe", "MessageAck"}


@pytest.fixture(scope="module")
def validate(corpora: Path) -> Callable[[Any, str], None]:
    """Checks a message by the core of this version, and by the signal exchange lists."""

    def retrieve(uri: str) -> Any:
        # Four places say "string, null", which is no type of JSON Schema.
        text = (corpora / uri.removeprefix("file:///")).read_text().replace('"string, null"', '["string", "null"]')
        return referencing.Resource(json.loads(text), draft_7)

    registry = referencing.Registry(retrieve=retrieve)

    def check(message: Any, core: str) -> None:
        for part in (f"core/{core}", *(f"tlc/{one}" for one in SXL_VERSIONS)):
            uri = f"file:///signals/rsmp/schemas/{part}/rsmp.json"
            jsonschema.Draft7Validator({"$ref": uri}, registry=registry).validate(message)

    return check


def test_the_check_itself_finds_what_is_wrong(validate: Callable[[Any, str], None]) -> None:
    good = json.loads(update("1B"))
    good["mId"] = "dabb67f9-2601-4db9-bb8a-c7c47f57e100"
    validate(good, "3.2.2")
    for wrong in (good | {"mId": "1"}, good | {"sTs": "now"}, json.loads(json.dumps(good).replace('"1B"', '"?"'))):
        with pytest.raises(jsonschema.ValidationError):
            validate(wrong, "3.2.2")


@pytest.mark.parametrize("core", VERSIONS)
def test_what_the_driver_sends_is_valid(core: str, validate: Callable[[Any, str], None]) -> None:
    session = SupervisorSession(
        SessionSettings(site_id=None, component=None, ack_timeout_s=30, watchdog_s=60),
        SiteObserver(WireCounters()),
        utc=lambda: datetime(2026, 2, 3, tzinfo=UTC),
    )
    sent: list[dict[str, Any]] = []

    def say(message: bytes) -> None:
        # As sites write their ids: RSMP's are UUIDs.
        uuid = f"00000000-0000-4000-8000-{len(sent):012}"
        body = json.loads(message)
        readings = session.receive(json.dumps(body | {"mId": uuid}).encode(), 1.0)
        for reading in readings:
            session.answered(reading, Refused("no") if body["type"] == "StatusUpdate" else Recorded())
        while session.outgoing:
            message = session.outgoing.pop(0).removesuffix(b"\f")
            sent.append(json.loads(message))
            asked = decode_message(message)
            if not asked.is_acknowledgement:
                session.receive(raw("MessageAck", asked.id), 1.0)

    for message in (
        version(core),
        raw("Watchdog", wTs=AT),
        raw("AggregatedStatus", cId=SITE),
        update("1B"),
        raw("Watchdddog"),
    ):
        say(message)
    assert {one["type"] for one in sent} == KINDS_OF_A_SUPERVISOR | {"MessageNotAck"}
    for one in sent:
        validate(one, core)


async def test_what_simulated_site_and_supervisor_send_is_valid(
    short_folder: Path, validate: Callable[[Any, str], None]
) -> None:
    site = RsmpSite(
        Placement("s", 7, short_folder, interval_s=0.01, options={"proxied": True, "reconnect_s": 0.05}), Truth()
    )
    await site.start()
    supervisor = site.supervisor
    assert supervisor is not None
    relay = RelayProcess(short_folder, supervisor.port)
    relay.listen = site.settings()["port"]
    running = asyncio.create_task(site.run())
    try:
        await relay.start()
        await until(lambda: supervisor.updates > 30, "it has said much")
        await relay.end()
        await asyncio.sleep(0.1)  # what it says now it keeps, and sends as old
        await relay.start()
        await until(lambda: any(b'"q": "old"' in one for one in site.wire.sent), "it has sent what it kept")
    finally:
        await relay.end()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    said = [json.loads(one) for one in site.wire.sent]
    answered = [json.loads(one) for one in supervisor.wire.sent]
    assert {one["type"] for one in said} == KINDS_OF_A_SITE
    assert {one["type"] for one in answered} == KINDS_OF_A_SUPERVISOR
    for one in said + answered:
        validate(one, "3.2.2")
