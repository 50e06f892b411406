"""One device tried: its driver opened once, every reading and every counted error told, nothing recorded."""

from __future__ import annotations

import asyncio
import enum
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nacl.public import PrivateKey

from devices.driver import DeviceError
from edge.config import AuthorityConfig
from edge.device.config import authority_roles, read_device
from edge.device.drivers import make_driver
from edge.device.supervisor import CLOSE_MAX_S, OPEN_MAX_S
from edge.recorder import refusal
from ledger_sync.proof.settings import Problems, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.driver import Driver, Reading

ID = "try"
LOOK_S = 0.1
_PLACE = "device"


class Ending(enum.Enum):
    """How a trial ended."""

    ENOUGH = "as many readings came as were asked for"
    STOPPED = "it was stopped"
    TIME_OVER = "the time was over"
    NOT_OPENED = "the device could not be opened"
    FAILED = "the device failed"


class Listener(Protocol):
    """Who is told what happens."""

    def reading(self, reading: Reading, refusal: str | None) -> None:
        """A reading came. `refusal` is why a gateway would not record it, if it would not."""

    def problem(self, sentence: str) -> None:
        """An error was counted, or the device failed. The sentence may quote the wire."""


def trial_driver(name: str, port: str | None, assignments: Iterable[str], evidence_dir: Path) -> Driver:
    """A driver with the settings that a command line gives as KEY=VALUE; one that seals, to keys that nobody keeps.

    Relative paths begin at the working directory. Raises SettingsError with all mistakes.
    """
    problems = Problems()
    table: dict[str, Any] = {} if port is None else {"port": port}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not key or not equals:
            problems.add(_PLACE, f"{assignment!r} is no setting; write KEY=VALUE")
        elif key in table:
            problems.add(f"{_PLACE}.{key}", "is given twice; give it once")
        else:
            table[key] = _toml_value(text)
    device = read_device(table | {"id": ID, "driver": name}, Path.cwd(), problems, _PLACE)
    if device is None or problems:
        raise SettingsError(f"driver {name}", tuple(problems))
    nobodys = [AuthorityConfig(ID, role, PrivateKey.generate().public_key.encode()) for role in authority_roles(device)]
    return make_driver(device, nobodys, evidence_dir)


async def try_device(
    driver: Driver, listener: Listener, stop: asyncio.Event, *, count: int | None = None, seconds: float | None = None
) -> Ending:
    """Read the device until `stop`, `count` readings, `seconds` from the opening on, or its failure.

    It is opened once, and answered nothing: what it waits for, it keeps.
    """
    reader = asyncio.create_task(_read(driver, listener, count))
    watch = asyncio.create_task(_tell_errors(driver, listener))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((reader, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if reader.done():
            return reader.result()
        return Ending.STOPPED if stop.is_set() else Ending.TIME_OVER
    finally:
        for task in (reader, watch, stopped):
            task.cancel()
        await asyncio.wait((reader, watch, stopped))
        await _close(driver, listener)


async def _read(driver: Driver, listener: Listener, count: int | None) -> Ending:
    if not await _open(driver, listener):
        return Ending.NOT_OPENED
    taken = 0
    try:
        async for reading in driver.readings():
            refused = refusal(reading)
            listener.reading(reading, refused.why if refused else None)
            taken += 1
            if taken == count:
                return Ending.ENOUGH
    except DeviceError as error:
        listener.problem(str(error))
    else:
        listener.problem("the driver ended by itself")
    return Ending.FAILED


async def _open(driver: Driver, listener: Listener) -> bool:
    try:
        async with asyncio.timeout(OPEN_MAX_S) as deadline:
            await driver.open()
    except DeviceError as error:
        listener.problem(str(error))
        return False
    except TimeoutError:
        if not deadline.expired():
            raise
        listener.problem(f"the device could not be opened within {OPEN_MAX_S:g} s")
        return False
    return True


async def _tell_errors(driver: Driver, listener: Listener) -> None:
    """Tell each error when it is counted; of several in a tenth of a second, how many and the last."""
    told = 0
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            told = _tell_new(driver, listener, told)
    finally:
        _tell_new(driver, listener, told)


def _tell_new(driver: Driver, listener: Listener, told: int) -> int:
    counters = driver.counters
    if counters.errors > told:
        more = f" (and {counters.errors - told - 1} more)" if counters.errors > told + 1 else ""
        listener.problem((counters.last_error or "an error that the driver does not name") + more)
    return counters.errors


async def _close(driver: Driver, listener: Listener) -> None:
    try:
        async with asyncio.timeout(CLOSE_MAX_S):
            await driver.close()
    except TimeoutError:
        listener.problem(f"the driver did not close within {CLOSE_MAX_S:g} s")


def _toml_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none: /dev/ttyUSB0 needs no quotes."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # TOMLDecodeError, and an integer of more digits than Python reads
        return text
    return table["value"] if len(table) == 1 else text
