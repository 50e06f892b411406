"""Drivers made of a script: a full `Driver`, with a fault wherever a test wants one."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Reading, Recorded, Refused, WireCounters, WireRole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@dataclass(frozen=True)
class NoSettings:
    """A scripted driver has no settings."""


FOREVER = object()
"""As the end of a script: nothing more is said, and the wire is not lost."""


class ScriptedDriver:
    """Plays one script an opening, and the last one from then on.

    A script is a sequence of readings, of exceptions to raise, and of FOREVER; where it ends, `readings` ends. An
    exception that stands first is raised by `open`.
    """

    Settings: ClassVar[type[NoSettings]] = NoSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, *scripts: Sequence[object]) -> None:
        self.counters = WireCounters()
        self.close_error: Exception | None = None
        self.closes_for_ever = False
        self.opened = self.closed = 0
        self._scripts = scripts

    async def open(self) -> None:
        self.opened += 1
        self._script = self._scripts[min(self.opened, len(self._scripts)) - 1]
        if self._script and isinstance(self._script[0], Exception):
            raise copy.copy(self._script[0])

    async def readings(self) -> AsyncIterator[Reading]:
        for line in self._script:
            if isinstance(line, Exception):
                raise copy.copy(line)
            if line is FOREVER:
                await asyncio.Event().wait()
            assert isinstance(line, Reading)
            yield line

    async def close(self) -> None:
        self.closed += 1
        if self.closes_for_ever:
            await asyncio.Event().wait()
        if self.close_error is not None:
            raise self.close_error


class AnsweringDriver(ScriptedDriver):
    """A scripted driver that takes answers; `answer_errors` are raised first, one an answer."""

    def __init__(self, *scripts: Sequence[object]) -> None:
        super().__init__(*scripts)
        self.answers: list[tuple[str | None, Recorded | Refused]] = []
        self.answer_errors: list[Exception] = []

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        self.answers.append((reading.id, outcome))
        if self.answer_errors:
            raise self.answer_errors.pop(0)
