"""A simulated Bosch parking sensor on LoRaWAN, with the ChirpStack server that publishes its uplinks."""

from __future__ import annotations

import base64
import json
import random
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.publishing import Published, PublishingDevice

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth

_STATUS, _HEARTBEAT, _STARTUP = 1, 2, 3
_CAUSES = {_STATUS: "change", _HEARTBEAT: "heartbeat", _STARTUP: "startup"}
_HEARTBEAT_CHANCE = 0.2
_APPLICATION = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"


class ParkingSensorUplinks:
    """Starts up, then tells changes and, now and then, that it is alive."""

    def __init__(self, bay: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._bay = bay
        self.dev_eui = f"70b3d5{seed & 0xFFFFFFFFFF:010x}"
        self._dev_addr = f"{self._random.getrandbits(32):08x}"
        self._occupied = False
        self._frames = 0

    @property
    def topic(self) -> str:
        """Where ChirpStack publishes its uplinks."""
        return f"application/{_APPLICATION}/device/{self.dev_eui}/event/up"

    def message(self, now: datetime) -> Published:
        """The next uplink at `now` (aware), and what it says."""
        fport = _STARTUP
        if self._frames:
            fport = _HEARTBEAT if self._random.random() < _HEARTBEAT_CHANCE else _STATUS
        self._occupied ^= fport == _STATUS
        celsius = self._random.randint(-20, 45)
        time = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}+00:00"
        state: dict[str, Any] = {"bay": self._bay, "occupied": self._occupied, "cause": _CAUSES[fport]}
        if fport == _STARTUP:
            # Debug information, firmware 1.9.4, reset by power-on, state.
            payload = bytes(12) + bytes((1, 9, 4, 2, self._occupied))
        else:
            payload = bytes((self._occupied, celsius & 0xFF))
            state["temperature_mdeg_c"] = celsius * 1000
        event = {
            "deduplicationId": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "time": time,
            "deviceInfo": {"applicationId": _APPLICATION, "deviceName": self._bay, "devEui": self.dev_eui, "tags": {}},
            "devAddr": self._dev_addr,
            "adr": True,
            "dr": 5,
            "fPort": fport,
            "confirmed": False,
            "data": base64.b64encode(payload).decode("ascii"),
            "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -57, "snr": 10.5}],
            "txInfo": {"frequency": 868_100_000},
        }
        if self._frames:
            event["fCnt"] = self._frames  # 0 is left out, as Protocol Buffers leave default values out
        state |= {"fcnt": self._frames, "device_time": time}
        self._frames += 1
        return Published(self.topic, json.dumps(event).encode(), [("parking.state", state)])


class ParkingSensor(PublishingDevice):
    """Kind `parking-chirpstack`: a bay named as the device; option `broker` (its URL)."""

    kind: ClassVar[str] = "parking-chirpstack"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._uplinks = ParkingSensorUplinks(placement.id, placement.seed)
        super().__init__(placement, truth, self._uplinks)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        return {
            "driver": "chirpstack",
            "url": self.broker,
            "topic": self._uplinks.topic,
            "bays": {self._uplinks.dev_eui: self._placement.id},
        }
