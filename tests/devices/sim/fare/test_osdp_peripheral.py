from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from devices.sim.fare.osdp_peripheral import OsdpPeripheral, Read, wiegand_26

KEY = bytes(16)


@given(st.integers(0, 1 << 32))
def test_a_card_has_26_bits_with_even_parity_before_and_odd_behind(seed: int) -> None:
    bits = f"{int.from_bytes(wiegand_26(random.Random(seed))):032b}"
    assert bits[:13].count("1") % 2 == 0
    assert bits[13:26].count("1") % 2 == 1
    assert bits[26:] == "000000"


def test_a_read_waits_in_the_reader_while_there_is_no_secure_channel() -> None:
    reader = OsdpPeripheral(0, KEY)
    reader.store(Read(1, b"\x12\x34\x56\x80"))
    for turn in range(50):
        reader.refresh(turn / 50)
    assert reader.sent is None
    assert not reader.outgoing


def test_a_reader_says_nothing_of_its_own_accord() -> None:
    reader = OsdpPeripheral(0, KEY)
    reader.incoming += b"\xff\x53\x00\x08\x00\x04"
    reader.refresh(0.0)
    assert not reader.outgoing
