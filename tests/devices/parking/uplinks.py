"""ChirpStack's `up` events, as its documentation shows them."""

from __future__ import annotations

import base64
import json
from typing import Any

DEV_EUI = "0101010101010101"
TOPIC = f"application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{DEV_EUI}/event/up"


def uplink(payload: bytes, /, **changes: Any) -> bytes:
    """An event with this payload; a change to None takes the key away."""
    event = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2022-07-18T09:34:15.775023242+00:00",
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "applicationName": "Application",
            "deviceName": "Sensor",
            "devEui": DEV_EUI,
            "tags": {"key": "value"},
        },
        "devAddr": "00189440",
        "adr": True,
        "dr": 1,
        "fCnt": 4,
        "fPort": 1,
        "confirmed": False,
        "data": base64.b64encode(payload).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -48, "snr": 9.25, "context": "PzdXOA=="}],
        "txInfo": {"frequency": 868100000},
    } | changes
    return json.dumps({key: value for key, value in event.items() if value is not None}).encode()
