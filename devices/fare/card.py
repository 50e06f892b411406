"""What a reader tells of a card, sealed: the plaintext that the transit authority opens, and the tap it makes.

The plaintext is ASCII text `<scheme>:<hex digits>`, filled up with spaces to 96 bytes: every sealed card is as long as
every other, so that the length tells neither the kind of card nor the length of its number. Its sealed box (48 bytes
more) is 192 characters of base64. Schemes:

    wiegand-<bits>    OSDP, parity and all, most significant bit first; unused bits of the last byte are zero
    raw-<bits>        OSDP, no format told; bits as above
    ascii             OSDP, characters
    iso14443a         the card's UID as in anticollision: 4, 7 or 10 bytes
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from devices.driver import DeviceError, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devices.driver import Origin, Seal

PLAINTEXT_BYTES = 96
CARD_BYTES_MAX = 40
SEALS_TO = "transit"
DIRECTIONS = ("in", "out")
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, repr=False, slots=True)
class Card:
    """One card as its reader told it: `data` has 1 to 40 bytes, `scheme` at most 15 characters.

    It has no representation as text on purpose: a card's number is in no traceback and no log.
    """

    scheme: str
    data: bytes

    def plaintext(self) -> bytes:
        """What is sealed: 96 bytes."""
        return f"{self.scheme}:{self.data.hex()}".encode("ascii").ljust(PLAINTEXT_BYTES)


def bit_card(scheme: str, data: bytes, bits: int) -> Card | None:
    """A card of `bits` bits in `data`, first bit first; None when it has none, too many, or fewer than it says."""
    size = (bits + 7) // 8
    if not 1 <= bits <= 8 * CARD_BYTES_MAX or len(data) < size:
        return None
    unused = 8 * size - bits
    cleared = data[: size - 1] + bytes((data[size - 1] >> unused << unused,))
    return Card(f"{scheme}-{bits}", cleared)


def ascii_card(data: bytes) -> Card | None:
    """A card told in characters; None when there are none or more than 40."""
    return Card("ascii", data) if 1 <= len(data) <= CARD_BYTES_MAX else None


def require_seal(seal: Seal | None, device: str) -> Seal:
    """`seal`, which a driver must have before it opens. Raises DeviceError."""
    if seal is None:
        raise DeviceError(f"device {device}: has nobody to seal its cards to; name an [[authority]] of role transit")
    return seal


def tap(
    card: Card, seal: Seal, direction: str, origin: Origin, *, auth: str = "card", details: Mapping[str, Any] = _NONE
) -> Reading:
    """The `fare.tap` of a card that was presented; `auth` and `details` (bio, result) as in the event's schema."""
    sealed = seal(card.plaintext())
    return Reading("fare.tap", {"direction": direction, "card_sealed": sealed, "auth": auth, **details}, origin)
