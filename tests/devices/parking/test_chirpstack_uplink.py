from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.parking.chirpstack_uplink import Uplink, parse_uplink
from tests.devices.parking.uplinks import DEV_EUI, uplink


def test_an_uplink_as_chirpstack_documents_it() -> None:
    assert parse_uplink(uplink(b"\x01\x15")) == Uplink(
        dev_eui=DEV_EUI,
        session="00189440",
        fcnt=4,
        fport=1,
        data=b"\x01\x15",
        time="2022-07-18T09:34:15.775023242+00:00",
        deduplication_id="3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    )


def test_what_protocol_buffers_leave_out_has_its_default() -> None:
    found = parse_uplink(uplink(b"", fCnt=None, fPort=None, data=None, time=None, deduplicationId=None, devAddr=None))
    assert found == Uplink(DEV_EUI, "", 0, 0, b"", None, None)


def test_a_dev_eui_is_written_small() -> None:
    assert parse_uplink(uplink(b"", deviceInfo={"devEui": "A81758FFFE0322AB"})).dev_eui == "a81758fffe0322ab"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "devEui"),
        (uplink(b"", deviceInfo=None), "devEui"),
        (uplink(b"", deviceInfo={"devEui": "xyz"}), "devEui"),
        (uplink(b"", fCnt=-1), "fCnt"),
        (uplink(b"", fCnt=1 << 32), "fCnt"),
        (uplink(b"", fCnt=True), "fCnt"),
        (uplink(b"", fPort=1.0), "fPort"),
        (uplink(b"", fPort=256), "fPort"),
        (uplink(b"", data="%%%"), "base64"),
        (uplink(b"", data="ä"), "base64"),
        (uplink(b"", joinServerContext={"sessionKeyId": "01"}), "still encrypted"),
    ],
)
def test_what_is_no_uplink_is_refused_with_a_sentence(payload: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_uplink(payload)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({"devEui": DEV_EUI})
KEYS = st.sampled_from(["deduplicationId", "time", "deviceInfo", "devAddr", "fCnt", "fPort", "data"])


@given(st.dictionaries(KEYS, VALUES).map(lambda event: json.dumps(event).encode()) | st.binary(max_size=200))
def test_any_bytes_give_an_uplink_or_a_value_error(payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = parse_uplink(payload)
        assert len(found.dev_eui) == 16
        assert 0 <= found.fcnt < 1 << 32


@given(st.data())
def test_a_damaged_uplink_gives_an_uplink_or_a_value_error(data: Any) -> None:
    event = bytearray(uplink(b"\x01\x15"))
    for _ in range(data.draw(st.integers(1, 3))):
        event[data.draw(st.integers(0, len(event) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        parse_uplink(bytes(event))
