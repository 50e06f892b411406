"""A driver that only listens, stepped by hand: its own line is replaced by bytes, and no event loop runs."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from tests.fuzz.target import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from devices.driver import Reading


class _FedLine:
    """The driver's line; a read that finds nothing suspends whoever awaits it."""

    def __init__(self) -> None:
        self.waiting = b""

    async def read(self) -> bytes:
        while not self.waiting:
            await _suspended()
        data, self.waiting = self.waiting, b""
        return data


@types.coroutine
def _suspended() -> Generator[None]:
    yield


class ListeningSubject(Subject):
    """`driver` reads from `_line`; `held_in` gives how many bytes it keeps."""

    def __init__(self, driver: Any, held_in: Callable[[Any], int]) -> None:
        super().__init__()
        self._driver, self._held_in = driver, held_in
        self.counters = driver.counters
        self._line = driver._line = _FedLine()
        self._readings = driver.readings()
        self._next: Coroutine[Any, Any, Reading] = self._readings.__anext__()

    def feed(self, data: bytes) -> list[Any]:
        self._line.waiting = data
        found: list[Any] = []
        while True:
            try:
                self._next.send(None)
            except StopIteration as reading:
                found.append(reading.value)
                self._next = self._readings.__anext__()
            else:
                return found

    def held(self) -> int:
        return self._held_in(self._driver)
