"""The real path to a line: Linux's gpio-sim where the kernel has it, else gpiod's own classes over a pipe.

The latter shows that the binding is called as it is declared and what becomes of its events, not that a kernel agrees.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import create_autospec

import gpiod
import pytest
from gpiod.line import Bias, Direction, Value
from gpiod.line import Edge as Edges

from devices.contact.gpio_line import EDGES_MAX, GpioLine
from devices.contact.input_line import Edge, LineRequest
from devices.driver import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

GPIO_SIM = Path("/sys/kernel/config/gpio-sim")
RISING, FALLING = (one.value for one in (gpiod.EdgeEvent.Type.RISING_EDGE, gpiod.EdgeEvent.Type.FALLING_EDGE))
REQUEST = LineRequest("DOOR", active_low=True, bias="pull-up", debounce_ms=20, pulses=False)


def event(kind: int, number: int) -> gpiod.EdgeEvent:
    return gpiod.EdgeEvent(kind, 1_000, 4, number, number)


class Requested(NamedTuple):
    """A request as gpiod declares it; `calls`: how `gpiod.request_lines` was called."""

    request: Any
    readable: int
    calls: Any


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requested]:
    reader, writer = os.pipe()
    request = create_autospec(gpiod.LineRequest, instance=True, fd=reader)
    request.get_value.return_value = Value.ACTIVE
    calls = create_autospec(gpiod.request_lines, return_value=request)
    monkeypatch.setattr(gpiod, "request_lines", calls)
    yield Requested(request, writer, calls)
    os.close(reader)
    os.close(writer)


async def test_a_line_is_requested_as_the_settings_say(requested: Requested) -> None:
    line = GpioLine("/dev/gpiochip0", REQUEST)
    assert await line.open() is True
    (((path, config), keys),) = requested.calls.call_args_list
    (settings,) = config.values()
    assert (path, list(config), keys) == (
        "/dev/gpiochip0",
        ["DOOR"],
        {"consumer": "wayside", "event_buffer_size": EDGES_MAX},
    )
    assert (settings.direction, settings.edge_detection, settings.bias) == (Direction.INPUT, Edges.BOTH, Bias.PULL_UP)
    assert settings.active_low
    assert settings.debounce_period.total_seconds() == 0.02
    await line.close()
    await line.close()
    requested.request.release.assert_called_once_with()


@pytest.mark.parametrize("bias", ["as-is", "disabled", "pull-up", "pull-down"])
async def test_pulses_are_edges_to_active_only_and_each_bias_is_known(requested: Requested, bias: str) -> None:
    line = GpioLine("/dev/gpiochip0", LineRequest(4, active_low=False, bias=bias, debounce_ms=0, pulses=True))
    await line.open()
    (settings,) = requested.calls.call_args.args[1].values()
    assert settings.edge_detection is Edges.RISING
    assert settings.bias.name == bias.replace("-", "_").upper()
    await line.close()


async def test_edges_are_waited_for_and_keep_their_numbers(requested: Requested) -> None:
    requested.request.read_edge_events.return_value = [event(RISING, 1), event(FALLING, 4)]
    line = GpioLine("/dev/gpiochip0", REQUEST)
    await line.open()
    reading = asyncio.create_task(line.read())
    await asyncio.sleep(0.02)
    assert not reading.done()
    os.write(requested.readable, b"x")
    assert await asyncio.wait_for(reading, 5) == [Edge(1, active=True), Edge(4, active=False)]
    requested.request.read_edge_events.assert_called_once_with(EDGES_MAX)
    assert not asyncio.get_running_loop().remove_reader(requested.request.fd), "nothing is watched while nobody reads"
    await line.close()


async def test_a_chip_that_goes_is_a_device_error(requested: Requested) -> None:
    requested.request.read_edge_events.side_effect = OSError(errno.ENODEV, "No such device")
    line = GpioLine("/dev/gpiochip0", REQUEST)
    await line.open()
    os.write(requested.readable, b"x")
    with pytest.raises(DeviceError, match=r"/dev/gpiochip0, line DOOR: the chip is gone"):
        await line.read()
    await line.close()
    with pytest.raises(DeviceError, match="is not open"):
        await line.read()


async def test_a_line_whose_level_cannot_be_read_is_released(requested: Requested) -> None:
    requested.request.get_value.side_effect = OSError(errno.EIO, "Input/output error")
    with pytest.raises(DeviceError, match="Input/output error"):
        await GpioLine("/dev/gpiochip0", REQUEST).open()
    requested.request.release.assert_called_once_with()


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (OSError(errno.ENOENT, "x"), "gpioinfo"),
        (OSError(errno.EACCES, "x"), "group gpio"),
        (OSError(errno.EBUSY, "x"), "held by another"),
        (OSError(errno.EINVAL, "Invalid argument"), "Invalid argument"),
        (ValueError("line offset of out range"), "no such line"),
    ],
    ids=str,
)
async def test_a_refusal_is_a_device_error_with_its_mend(requested: Requested, error: Exception, mend: str) -> None:
    requested.calls.side_effect = error
    with pytest.raises(DeviceError, match=mend):
        await GpioLine("/dev/gpiochip0", REQUEST).open()


@pytest.mark.parametrize(("path", "mend"), [("/nowhere/chip", "is not there"), ("/dev/null", "is no GPIO chip")])
async def test_what_is_no_chip_is_told_by_libgpiod_itself(path: str, mend: str) -> None:
    with pytest.raises(DeviceError, match=f"{path}, line DOOR: {mend}"):
        await GpioLine(path, REQUEST).open()


@contextmanager
def kernel_chip() -> Iterator[tuple[str, Path]]:
    """A chip of Linux's gpio-sim whose line 0 is named DOOR: its device, and the file that pulls the line."""
    device = GPIO_SIM / f"wayside-{os.getpid()}"
    (device / "bank0" / "line0").mkdir(parents=True)
    try:
        (device / "bank0" / "num_lines").write_text("2")
        (device / "bank0" / "line0" / "name").write_text("DOOR")
        (device / "live").write_text("1")
        platform, chip = (one.read_text().strip() for one in (device / "dev_name", device / "bank0" / "chip_name"))
        yield f"/dev/{chip}", Path("/sys/devices/platform") / platform / chip / "sim_gpio0" / "pull"
    finally:
        (device / "live").write_text("0")
        for folder in (device / "bank0" / "line0", device / "bank0", device):
            folder.rmdir()


@pytest.mark.skipif(
    not os.access(GPIO_SIM, os.W_OK), reason=f"needs the kernel module gpio-sim, and to write {GPIO_SIM}"
)
async def test_a_line_of_the_kernels_own_simulator_tells_level_and_edges() -> None:
    with kernel_chip() as (path, pull):
        line = GpioLine(path, LineRequest("DOOR", active_low=True, bias="as-is", debounce_ms=0, pulses=False))
        pull.write_text("pull-up")
        assert await line.open() is False
        other = GpioLine(path, LineRequest(0, active_low=True, bias="as-is", debounce_ms=0, pulses=False))
        with pytest.raises(DeviceError, match="held by another"):
            await other.open()
        pull.write_text("pull-down")
        pull.write_text("pull-up")
        edges: list[Edge] = []
        async with asyncio.timeout(5):
            while len(edges) < 2:
                edges += await line.read()
        assert edges == [Edge(1, active=True), Edge(2, active=False)]
        await line.close()
