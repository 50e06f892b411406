"""The beat of a device that says something every so often."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def each_interval(interval_s: float, act: Callable[[], Awaitable[None]], *, seed: int) -> None:
    """Call `act` every `interval_s` of our time, for ever; what comes late is not made up for.

    The first time is anywhere within the interval, by `seed`: the devices of a place do not tick together.
    """
    loop = asyncio.get_running_loop()
    due_s = loop.time() - random.Random(seed).random() * interval_s
    while True:
        due_s = max(due_s + interval_s, loop.time())
        await asyncio.sleep(due_s - loop.time())
        await act()
