"""A whole gateway with both kinds of reader: no card is anywhere in clear, and the authority reads every one."""

from __future__ import annotations

import base64
import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.journal.files import current_journal
from ledger_sync.proof.event import parse_event
from tests.devices.fare.readers import TruthText, osdp_reader, pn532_reader, running
from tests.devices.fare.sealing import TRANSIT, opened
from tests.support.brokers import start_embedded
from tests.support.city_files import QUICK, make_city
from tests.support.running_city import onlooker, running_gateway
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

UIDS = (bytes.fromhex("04a1b2c3d4e580"), bytes.fromhex("04332f8b123fd2"))
AUTHORITY = f"""
[[authority]]
id = "transit-1"
role = "transit"
public_key = "{base64.b64encode(bytes(TRANSIT.public_key)).decode()}"
"""


def device_table(device: str, settings: dict[str, Any]) -> str:
    lines = [f'{key} = "{one}"' if isinstance(one, str) else f"{key} = {one}" for key, one in settings.items()]
    return "\n".join(["[[device]]", f'id = "{device}"', *lines, ""])


def forms(card: bytes) -> Iterator[bytes]:
    """A card's number as somebody might write it."""
    for number in (card, card[::-1]):
        yield number
        for text in (number.hex(), number.hex(":"), number.hex(" "), str(int.from_bytes(number))):
            yield text.encode()
            yield text.upper().encode()
            yield base64.b64encode(text.encode())[:-4]


def taps(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        events = [parse_event(statement) for (statement,) in connection.execute("SELECT statement FROM event")]
    return [dict(event.data) for event in events if event.type == "fare.tap"]


async def recorded(path: Path, count: int) -> None:
    await until(lambda: len(taps(path)) == count, f"{count} taps are recorded")


def found(cards: list[bytes], places: dict[str, bytes]) -> list[str]:
    return [f"{place}: {form!r}" for card in cards for form in forms(card) for place in places if form in places[place]]


def test_a_number_that_is_somewhere_would_be_found() -> None:
    assert found([UIDS[0]], {"log": b"card 04A1B2C3D4E580 refused"})
    assert found([UIDS[0]], {"file": UIDS[0][::-1]})
    assert not found([UIDS[0]], {"log": b"nothing"})


async def test_no_number_of_a_card_is_in_files_logs_or_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    truth = TruthText()
    gate, pole = osdp_reader(tmp_path, truth), pn532_reader(tmp_path)
    with start_embedded(tmp_path) as broker:
        tables = QUICK + AUTHORITY + device_table("gate-1", gate.settings()) + device_table("pole-1", pole.settings())
        city = make_city(tmp_path, broker.port, devices={}, tables=tables)
        path = current_journal(city.directory / "var")
        async with running(gate, pole), onlooker(broker.url) as seen:
            async with running_gateway(city):
                await until(path.exists)
                for count, uid in enumerate(UIDS, 1):
                    gate.present()
                    pole.chip.card = uid
                    await recorded(path, 2 * count)
                await until(lambda: all(row["sure"] for row in truth.rows), "the light is green")
                assert gate._terminal is not None
                gate._terminal.unplug()
                await until(lambda: b"gate-1" in b"".join(one.payload for one in seen.under("/health")))
            messages = b"\n".join(message.topic.encode() + message.payload for message in seen.messages)

    cards = [*gate.cards, *UIDS]
    assert sorted(opened(tap["card_sealed"]).partition(":")[2] for tap in taps(path)) == sorted(
        card.hex() for card in cards
    )
    places = {str(file): file.read_bytes() for file in city.directory.rglob("*") if file.is_file()}
    assert str(path) in places
    streams = capfd.readouterr()
    places |= {"messages": messages, "log": caplog.text.encode(), "stdout": streams.out.encode()}
    assert found(cards, places | {"stderr": streams.err.encode()}) == []
