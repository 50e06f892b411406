"""What an OSDP reader reports of a person: a card (osdp_RAW, osdp_FMT), or a biometric match of a card's holder.

A match comes as a manufacturer's reply (osdp_MFGREP), as libosdp 3 hands over no osdp_BIOMATCHR. Its data, by this
gateway's own definition, after the vendor code:

    byte 0     layout: 1
    byte 1     1: known by biometry alone; 2: card and biometry
    byte 2     0 match, 1 no match, 2 timeout, 255 failed
    byte 3     score from 0 to 255, 255 is best (as in osdp_BIOMATCHR, SIA OSDP 2.2)
    byte 4     format of the card's number: 0 raw bits, 1 Wiegand, 2 ASCII
    bytes 5-6  its length in bits (ASCII: 8 a character), low byte first
    from 7     the number, first bit first, to the end
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osdp import CardFormat, Event

from devices.fare.card import Card, ascii_card, bit_card

if TYPE_CHECKING:
    from collections.abc import Mapping

_MATCH = struct.Struct("<BBBBBH")
_LAYOUT = 1
_AUTHS = {1: "bio", 2: "both"}
_RESULTS = {0: "match", 1: "no_match", 2: "timeout", 255: "failed"}


@dataclass(frozen=True, slots=True)
class Credential:
    """A card that was presented, how its holder was known, and the biometric result, if any."""

    card: Card
    auth: str
    bio: dict[str, Any] | None = None


def parse_event(event: Mapping[str, Any], vendor_code: int | None) -> Credential | str | None:
    """A credential from an event of libosdp; a sentence when it is none; None for what is no credential.

    `vendor_code`: whose manufacturer's replies are matches. No sentence quotes what was read.
    """
    if event["event"] == Event.CardRead:
        return _card_read(event)
    if event["event"] == Event.ManufacturerReply and event["vendor_code"] == vendor_code:
        return parse_match(event["data"])
    return None


def parse_match(data: bytes) -> Credential | str:
    """A biometric match from the data of a manufacturer's reply, or why it is none."""
    if len(data) < _MATCH.size:
        return "a match result is too short"
    layout, auth, result, score, number_format, bits = _MATCH.unpack_from(data)
    if layout != _LAYOUT or auth not in _AUTHS or result not in _RESULTS:
        return "a match result has another layout than this driver reads"
    number = data[_MATCH.size :]
    if len(number) != (bits + 7) // 8:
        return "a match result says another length of its card's number than it has"
    card = _card(number_format, number, bits)
    if card is None:
        return "a match result has no card's number, or one too long or of unknown format"
    return Credential(card, _AUTHS[auth], {"result": _RESULTS[result], "score": score})


def _card_read(event: Mapping[str, Any]) -> Credential | str:
    data: bytes = event["data"]
    card = _card(event["format"], data, event.get("length", 8 * len(data)))
    if card is None:
        return "a card's number is empty, too long or of unknown format"
    return Credential(card, "card")


def _card(number_format: int, data: bytes, bits: int) -> Card | None:
    if number_format == CardFormat.Wiegand:
        return bit_card("wiegand", data, bits)
    if number_format == CardFormat.Unspecified:
        return bit_card("raw", data, bits)
    return ascii_card(data) if number_format == CardFormat.ASCII else None
