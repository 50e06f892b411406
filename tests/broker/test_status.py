from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from broker.session import Session
from broker.status import GatewayState, health_publication, status_publication
from tests.broker.running import running
from tests.broker.strict_aiomqtt import StrictClient

if TYPE_CHECKING:
    from tests.support.brokers import BrokerProcess

BOOT = bytes(range(16))
SINCE = datetime(2026, 3, 1, 12, 0, 0, 5, UTC)


def test_status_is_retained_json_with_boot_and_start_in_utc() -> None:
    status = status_publication(
        "demo", "gw-1", GatewayState.ONLINE, BOOT, SINCE.astimezone(timezone(timedelta(hours=2)))
    )
    assert (status.topic, status.qos, status.retain, status.expiry_s) == (
        "wayside/v1/demo/up/gw-1/status",
        1,
        True,
        None,
    )
    assert json.loads(status.payload) == {
        "state": "online",
        "boot": "000102030405060708090a0b0c0d0e0f",
        "since": "2026-03-01T12:00:00.000005Z",
    }


@pytest.mark.parametrize(("interval_s", "expiry_s"), [(30, 90), (0.5, 2), (0.1, 1)])
def test_health_is_retained_json_that_expires_after_three_intervals(interval_s: float, expiry_s: int) -> None:
    health = health_publication("demo", "gw-1", {"backlog": {"rows": 3}, "site": "Zürich"}, interval_s)
    assert (health.topic, health.qos, health.retain) == ("wayside/v1/demo/up/gw-1/health", 0, True)
    assert (health.expiry_s, health.content_type) == (expiry_s, "application/json")
    assert json.loads(health.payload) == {"backlog": {"rows": 3}, "site": "Zürich"}


def test_a_path_that_is_not_utf_8_spoils_no_health() -> None:
    reason = os.fsdecode(b"/dev/m\xe9ter: is not there")
    health = health_publication("demo", "gw-1", {"reason": reason}, 30)
    assert json.loads(health.payload) == {"reason": "/dev/m?ter: is not there"}


def test_health_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        health_publication("demo", "gw-1", {"temperature_c": math.nan}, 30)


async def test_an_operator_sees_a_gateway_come_and_go(broker: BrokerProcess) -> None:
    online, offline = (status_publication("demo", "gw-1", state, BOOT, SINCE) for state in GatewayState)
    async with StrictClient(broker.url, "operator") as operator:
        await operator.subscribe("wayside/v1/demo/up/+/status", qos=1)
        async with running(Session(broker.url, "gw-1", will=offline, on_connect=[online])) as session:
            assert (await anext(operator.messages)).payload == online.payload
            await session.publish(offline)
            assert (await anext(operator.messages)).payload == offline.payload
