"""RSMP's wrapping of packets: each message ends with a form feed (RSMP core 3.2.2, "Wrapping of packets").

Needs the standard library only, and little of it: the relay's process has this and no other part of the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM_FEED = b"\x0c"
MESSAGE_BYTES_MAX = 65_536
"""Our own bound; the standard has none. A status of all signal groups has about 300 bytes."""


class MessageSplitter:
    """Cuts a stream into messages of at most 64 KiB; holds no more than that.

    `too_long` counts the messages over the bound, `bytes_dropped` their bytes.
    """

    def __init__(self) -> None:
        self._begun = bytearray()
        self._skipping = False
        self.too_long = 0
        self.bytes_dropped = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; give the messages that end in them, without their form feed.

        Several form feeds in a row, and one at the start, are passed over: they must be handled, says the standard.
        """
        *ended, rest = data.split(FORM_FEED)
        for piece in ended:
            self._extend(piece)
            message, self._begun = bytes(self._begun), bytearray()
            if message.strip() and not self._skipping:
                yield message
            self._skipping = False
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if self._skipping:
            self.bytes_dropped += len(piece)
            return
        self._begun += piece
        if len(self._begun) > MESSAGE_BYTES_MAX:
            self.too_long += 1
            self.bytes_dropped += len(self._begun)
            self._begun.clear()
            self._skipping = True
