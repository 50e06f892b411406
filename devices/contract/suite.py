"""What every driver of a serial device promises (devices/driver.py), over a real pseudo-terminal.

A driver's own test class inherits `DriverContract` and says how to make the driver and a good frame. Needs pytest,
pytest-asyncio in its auto mode, and the fixtures of `devices.contract.plugin`.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError, Driver, Origin, WireCounters, WireRole
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type

from .feeding import take

if TYPE_CHECKING:
    from devices.sim.pty import PseudoTerminal

DAMAGED_FRAMES = 20
PLAIN = (type(None), bool, int, str, bytes, Decimal)


def open_files() -> set[str]:
    """The paths of all open files of this process."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(str(entry.readlink()))
    return found


def assert_plain(value: Any) -> None:
    """Fails unless `value` is built of what a reading may hold, and of exactly these types."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for member in value.values():
            assert_plain(member)
    elif isinstance(value, list):
        for member in value:
            assert_plain(member)
    else:
        assert type(value) in PLAIN


class DriverContract:
    """Inherit, and define the first two; for a device that sends nothing unless it is asked, all three."""

    def make(self, port: str) -> Driver:
        """The driver, for a device at this port."""
        raise NotImplementedError

    def frame(self) -> bytes:
        """What the device sends, whole, to give at least one reading."""
        raise NotImplementedError

    def speak(self, terminal: PseudoTerminal, data: bytes) -> None:
        """Have the device send `data`: frames, whole or damaged, and noise.

        One that must be asked is silent at first; from here on it gives `data` where its answer is the frame.
        """
        terminal.write(data)

    def test_making_a_driver_touches_nothing(self) -> None:
        before = open_files()
        driver = self.make("/nowhere/port")
        assert open_files() == before
        assert driver.counters == WireCounters()
        assert isinstance(driver.wire_role, WireRole)

    async def test_a_missing_port_is_a_device_error_that_names_it(self) -> None:
        with pytest.raises(DeviceError, match="/nowhere/port"):
            await self.make("/nowhere/port").open()

    async def test_readings_are_what_their_event_types_allow(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        (reading,) = await take(driver, 1, during=lambda: self.speak(terminal, self.frame()))
        assert not reading.type.startswith(("gateway.", "device."))
        assert encode_data(event_type(reading.type), reading.data)
        await driver.close()

    async def test_damaged_frames_raise_nothing_and_a_good_one_after_them_is_read(
        self, terminal: PseudoTerminal
    ) -> None:
        driver, chance, frame = self.make(terminal.path), random.Random(1), self.frame()
        await driver.open()
        for _ in range(DAMAGED_FRAMES):
            damaged = bytearray(frame)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            good = bytes(damaged[: chance.randint(1, len(damaged))]) + frame + frame
            assert await take(driver, 1, during=partial(self.speak, terminal, good))
        await driver.close()

    async def test_readings_hold_text_keys_and_exact_values_only(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        (reading,) = await take(driver, 1, during=lambda: self.speak(terminal, self.frame()))
        assert_plain(reading.data)
        assert isinstance(reading.origin, Origin)
        assert driver.counters.readings >= 1
        await driver.close()

    async def test_an_unplugged_device_is_a_device_error_that_names_the_port(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        with pytest.raises(DeviceError, match=terminal.path):
            await take(driver, 1, during=terminal.unplug)
        await driver.close()

    async def test_the_same_object_opens_again_after_a_loss_and_after_a_close(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        with pytest.raises(DeviceError):
            await take(driver, 1, during=terminal.unplug)
        terminal.replug()
        for _ in range(2):
            await driver.open()
            assert await take(driver, 1, during=lambda: self.speak(terminal, self.frame()))
            await driver.close()

    async def test_half_a_frame_from_before_a_loss_is_not_joined_with_what_comes_after(
        self, terminal: PseudoTerminal
    ) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        frame = self.frame()
        self.speak(terminal, frame[: len(frame) // 2])
        asyncio.get_running_loop().call_later(0.05, terminal.replug)
        with pytest.raises(DeviceError):
            await take(driver, 1)
        await driver.open()
        errors = driver.counters.errors
        assert await take(driver, 1, during=lambda: self.speak(terminal, self.frame()))
        assert driver.counters.errors == errors
        await driver.close()

    async def test_closing_frees_the_port_and_may_be_repeated(self, terminal: PseudoTerminal) -> None:
        # Drivers of one gateway may share a port: it is held against all others.
        driver, other = self.make(terminal.path), SerialLine(terminal.path, 9600, bytesize=8, parity="N")
        await driver.close()
        await driver.open()
        with pytest.raises(DeviceError, match="locked by another process"):
            await other.open()
        await driver.close()
        await driver.close()
        await other.open()
        await other.close()

    async def test_cancelling_the_reader_leaves_a_driver_that_closes_and_opens(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        task = asyncio.create_task(take(driver, 1))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await driver.close()
        await driver.open()
        assert await take(driver, 1, during=lambda: self.speak(terminal, self.frame()))
        await driver.close()

    async def test_noise_raises_nothing_and_the_next_or_second_frame_is_read(self, terminal: PseudoTerminal) -> None:
        driver = self.make(terminal.path)
        await driver.open()
        noise = bytes(range(256)) * 4
        assert await take(driver, 1, during=lambda: self.speak(terminal, noise + self.frame() + self.frame()))
        assert driver.counters.errors + driver.counters.resyncs > 0
        assert driver.counters.last_error
        await driver.close()
