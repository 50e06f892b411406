"""What is fuzzed: a parser, how bytes get into it and values out of it, and what it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.driver import WireCounters

if TYPE_CHECKING:
    from collections.abc import Callable


def itself(value: Any) -> Any:
    return value


class Subject:
    """One fresh parser, with the steps that its driver takes from bytes to readings.

    It catches what the parser documents that it raises, as the driver does, and counts it; anything else that comes out
    is a find.
    """

    def __init__(self) -> None:
        self.counters = WireCounters()

    def feed(self, data: bytes) -> list[Any]:
        """Take the next bytes; give what the driver would go on with."""
        raise NotImplementedError

    def silence(self) -> list[Any]:
        """What the driver does when a deadline passes without further bytes."""
        return []

    def held(self) -> int:
        """How many bytes of the wire are kept."""
        return 0

    def count_error(self, what: object) -> None:
        """As the driver does, for what the parser raised or refused."""
        self.counters.errors += 1
        self.counters.last_error = str(what)


@dataclass(frozen=True)
class Target:
    """One row of the table: a parser and its promises.

    `good` gives a frame that a fresh parser reads. `held_bytes_max`: what may be kept between two calls of `feed`.
    `comes_in_pieces`: a stream, cut anywhere; else each input is one message. `reads_alike_in_pieces`: the values hang
    on the bytes alone, not on where they are cut. `all_recordable`: the recorder refuses none of its readings.
    `essence`: what a good frame's value has whatever came before it. `tokens`: parts that inputs of this kind have.
    """

    name: str
    new: Callable[[], Subject]
    seeds: Callable[[], list[bytes]]
    good: Callable[[], bytes]
    held_bytes_max: int = 0
    comes_in_pieces: bool = True
    reads_alike_in_pieces: bool = True
    all_recordable: bool = True
    essence: Callable[[Any], Any] = itself
    tokens: tuple[bytes, ...] = ()
