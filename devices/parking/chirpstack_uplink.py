"""The `up` event of ChirpStack 4 in JSON: bytes in, a LoRaWAN uplink out.

Source: ChirpStack's integration.proto, message UplinkEvent, in the JSON mapping of Protocol Buffers.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from devices.wire.exact_json import parse_exact_json

TIME_CHARACTERS_MAX = 40
_EUI = re.compile(r"[0-9a-f]{16}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_FCNT_MAX = (1 << 32) - 1
_FPORT_MAX = 255


@dataclass(frozen=True, slots=True)
class Uplink:
    """One frame of a LoRaWAN device, as the network server decrypted it.

    `dev_eui`: 16 hexadecimal digits. `session`: the address the device got when it joined; frame counters restart with
    a new one. `time`: when the network server had the frame, in its own words, or None. `deduplication_id`: the network
    server's name of the frame, which several LoRa gateways may have received.
    """

    dev_eui: str
    session: str
    fcnt: int
    fport: int
    data: bytes
    time: str | None
    deduplication_id: str | None


def parse_uplink(payload: bytes) -> Uplink:
    """The uplink in an `up` event. Raises ValueError with a sentence.

    A number or text that is absent has its default value (0, empty), as Protocol Buffers leave it out.
    """
    event = parse_exact_json(payload)
    if not isinstance(event, dict):
        raise ValueError("the event is no object")  # noqa: TRY004 - one kind of error for every unusable event
    if event.get("joinServerContext"):
        raise ValueError("the payload is still encrypted: the network server has no AppSKey; let ChirpStack have it")
    info = event.get("deviceInfo")
    dev_eui = _text(info.get("devEui")).lower() if isinstance(info, dict) else ""
    if not _EUI.fullmatch(dev_eui):
        raise ValueError("the event has no deviceInfo.devEui of 16 hexadecimal digits")
    deduplication_id = _text(event.get("deduplicationId")).lower()
    time = _text(event.get("time"))
    return Uplink(
        dev_eui,
        _text(event.get("devAddr"))[:16],
        _integer(event, "fCnt", _FCNT_MAX),
        _integer(event, "fPort", _FPORT_MAX),
        _octets(event.get("data")),
        time if 0 < len(time) <= TIME_CHARACTERS_MAX and time.isprintable() else None,
        deduplication_id if _UUID.fullmatch(deduplication_id) else None,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(event: dict[str, Any], name: str, maximum: int) -> int:
    value = event.get(name, 0)
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{name} is no integer from 0 to {maximum}")
    return value


def _octets(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("data is not base64") from error
