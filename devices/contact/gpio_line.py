"""A line of a Linux GPIO chip, through libgpiod 2 and its own Python binding (user-space interface v2, Linux 5.10)."""

from __future__ import annotations

import asyncio
import errno
from datetime import timedelta
from typing import TYPE_CHECKING

from devices.contact.input_line import Edge
from devices.driver import DeviceError

if TYPE_CHECKING:
    import gpiod

    from devices.contact.input_line import LineRequest

# The most that the kernel keeps for one line (16 * GPIO_V2_LINES_MAX); beyond it, it drops the oldest.
EDGES_MAX = 1024
_CONSUMER = "wayside"
_MENDS = {
    errno.ENOENT: "is not there, or has no such line; `gpioinfo` lists chips and lines",
    errno.EACCES: "may not be opened; give the gateway's user access to it (often the group gpio)",
    errno.EPERM: "may not be opened; give the gateway's user access to it (often the group gpio)",
    errno.EBUSY: "the line is held by another; `gpioinfo` names who",
    errno.ENODEV: "is no GPIO chip; name a character device such as /dev/gpiochip0",
    errno.ENOTTY: "is no GPIO chip; name a character device such as /dev/gpiochip0",
}


class GpioLine:
    """An `InputLine` of the chip at `path`. The kernel holds it for one process and takes it from nobody."""

    def __init__(self, path: str, request: LineRequest) -> None:
        self._path = path
        self._wanted = request
        self._request: gpiod.LineRequest | None = None

    async def open(self) -> bool:
        """Request the line. Raises DeviceError."""
        await self.close()
        try:
            # A chip behind a bus (an I2C expander) takes milliseconds for each of the two.
            self._request, is_active = await asyncio.to_thread(self._open)
        except OSError as error:
            mend = _MENDS.get(error.errno or 0, f"refuses ({error.strerror}); check bias and debounce_ms")
            raise self._error(mend) from error
        except ValueError as error:  # an offset beyond the chip's lines
            raise self._error(_MENDS[errno.ENOENT]) from error
        return is_active

    async def read(self) -> list[Edge]:
        """Wait for edges and return those that there are, 1 to 1024. Raises DeviceError when the chip is gone."""
        request = self._request
        if request is None:
            raise self._error("is not open; open it first")
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        file = request.fd
        loop.add_reader(file, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(file)
        try:
            events = request.read_edge_events(EDGES_MAX)
        except OSError as error:
            raise self._error(f"the chip is gone ({error.strerror}); plug it in") from error
        return [Edge(event.line_seqno, event.event_type is event.Type.RISING_EDGE) for event in events]

    async def close(self) -> None:
        """Release the line; idempotent."""
        request, self._request = self._request, None
        if request is not None:
            request.release()

    def _open(self) -> tuple[gpiod.LineRequest, bool]:
        import gpiod  # noqa: PLC0415 - a gateway without GPIO does not load it
        from gpiod.line import Bias, Direction, Edge, Value  # noqa: PLC0415 - as above

        wanted = self._wanted
        settings = gpiod.LineSettings(
            direction=Direction.INPUT,
            # Edges are of the logical level: active_low is applied before.
            edge_detection=Edge.RISING if wanted.pulses else Edge.BOTH,
            bias=Bias[wanted.bias.replace("-", "_").upper()],
            active_low=wanted.active_low,
            debounce_period=timedelta(milliseconds=wanted.debounce_ms),
        )
        request = gpiod.request_lines(
            self._path, {wanted.line: settings}, consumer=_CONSUMER, event_buffer_size=EDGES_MAX
        )
        try:
            return request, request.get_value(wanted.line) is Value.ACTIVE
        except OSError:
            request.release()
            raise

    def _error(self, what: str) -> DeviceError:
        return DeviceError(f"{self._path}, line {self._wanted.line}: {what}")
