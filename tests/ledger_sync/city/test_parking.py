from __future__ import annotations

from broker.topics import BatchAddress
from ledger_sync.city.parking import Parking


def address(batch: int, gateway: str = "gw-1") -> BatchAddress:
    return BatchAddress(gateway, bytes(16), batch)


def test_what_is_parked_is_taken_once() -> None:
    parking = Parking()
    parking.put(address(2), b"two")
    assert (parking.take(address(3)), parking.take(address(2)), parking.take(address(2))) == (None, b"two", None)
    assert len(parking) == 0


def test_the_first_anchor_for_a_batch_stays() -> None:
    parking = Parking()
    parking.put(address(2), b"first")
    parking.put(address(2), b"second")
    assert parking.take(address(2)) == b"first"


def test_a_chain_has_its_share_and_no_more() -> None:
    parking = Parking(per_chain_max=2)
    for batch in (2, 3, 4):
        parking.put(address(batch), b"x")
    parking.put(address(2, "gw-2"), b"x")
    assert [parking.take(address(batch)) for batch in (2, 3, 4)] == [b"x", b"x", None]
    assert parking.take(address(2, "gw-2")) == b"x"


def test_a_share_is_free_again_when_something_is_taken() -> None:
    parking = Parking(per_chain_max=1)
    parking.put(address(2), b"x")
    parking.take(address(2))
    parking.put(address(3), b"y")
    assert parking.take(address(3)) == b"y"


def test_when_the_bytes_are_full_the_oldest_make_room() -> None:
    parking = Parking(per_chain_max=1, bytes_max=25)
    for number in range(100):
        parking.put(address(2, f"gw-{number}"), bytes(10))
        assert len(parking) <= 2
    assert [number for number in range(100) if parking.take(address(2, f"gw-{number}"))] == [98, 99]
