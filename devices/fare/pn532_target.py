"""Contactless cards (ISO/IEC 14443 type A) as a PN532 lists them, and which of them were presented just now."""

from __future__ import annotations

EMPTY_POLLS = 3
FORGET_S = 5.0
_UID_BYTES = (4, 7, 10)
_UID_AT = 6
_RANDOM = 0x08


class NoTargetError(ValueError):
    """A target list that cannot be read; its sentence quotes none of it."""


def parse_target_list(data: bytes) -> bytes | None:
    """The UID of the first target in an answer to InListPassiveTarget at 106 kbit/s type A; None if there is none.

    `data` after the response code (UM0701-02, section 7.3.5): number of targets, then of each: number, SENS_RES (2),
    SEL_RES, length of the UID, UID, perhaps an ATS. Raises NoTargetError.
    """
    if not data:
        raise NoTargetError("a target list is empty")
    if data[0] == 0:
        return None
    size = data[_UID_AT - 1] if len(data) >= _UID_AT else 0
    uid = data[_UID_AT : _UID_AT + size]
    if size not in _UID_BYTES or len(uid) != size:
        raise NoTargetError("a target list has a UID of no length that ISO/IEC 14443-3 knows")
    return uid


def is_random(uid: bytes) -> bool:
    """Whether the card made this UID up for this presentation (ISO/IEC 14443-3: four bytes, the first is 08)."""
    return len(uid) == _UID_BYTES[0] and uid[0] == _RANDOM


class Presence:
    """Tells a card that is presented from one that is still held.

    A card is gone after three polls in a row that found none (one alone may be the edge of the field), or when
    nothing was known of it for 5 s.
    """

    def __init__(self) -> None:
        self._uid: bytes | None = None
        self._seen_at_s = 0.0
        self._empty_polls = 0

    def is_new(self, uid: bytes | None, now_s: float) -> bool:
        """Whether what a poll found at `now_s` (monotonic) is a card presented anew."""
        if uid is None:
            self._empty_polls += 1
            return False
        gone = self._empty_polls >= EMPTY_POLLS or now_s - self._seen_at_s > FORGET_S
        new = gone or uid != self._uid
        self._uid, self._seen_at_s, self._empty_polls = uid, now_s, 0
        return new
