from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.meter.crc16 import crc16_arc, crc16_kermit, crc16_x25
from devices.sim.meter import dsmr_frame, sml_frame

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("checksum", "check"),
    [(crc16_arc, 0xBB3D), (crc16_x25, 0x906E), (crc16_kermit, 0x2189)],
    ids=["arc", "x25", "kermit"],
)
def test_each_checksum_gives_the_check_value_of_the_crc_catalogue(checksum: Callable[[bytes], int], check: int) -> None:
    assert checksum(b"123456789") == check


@given(st.binary(max_size=300))
def test_drivers_and_simulators_agree_though_they_were_written_apart(data: bytes) -> None:
    assert crc16_arc(data) == dsmr_frame.checksum(data)
    assert crc16_x25(data).to_bytes(2, "little") == sml_frame.checksum(data)
