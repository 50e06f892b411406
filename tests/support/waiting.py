"""Waiting for what has no event of its own: another process, another thread, the inside of what is tested."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], object], what: str = "it came about", deadline_s: float = 30.0) -> None:
    """Wait until `condition` holds; fails with `what` was waited for."""
    deadline = asyncio.get_running_loop().time() + deadline_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"{deadline_s:g} s were not enough until {what}"
        await asyncio.sleep(0.005)
