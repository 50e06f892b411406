"""A simulated signal controller that writes a high-resolution event log, into a file or to be had over HTTP."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from .cycle import SignalCycle

if TYPE_CHECKING:
    from datetime import datetime

    from devices.sim.device import Placement, Truth

    from .cycle import Step

_HEADER = "TimeStamp,DeviceId,EventId,Parameter\r\n"
_HELD_BACK_S = 0.05
# A follower looks now and then: a file that is moved away twice between two looks is lost to it.
_KEPT_S = 2.0
# Indiana enumerations: the events logged as a state begins; the last of them is the one that says so.
_EVENTS = {
    "green": (0, 1),
    "yellow": (7, 8),
    "red_clearance": (9, 10),
    "red": (12, 11),
    "walk": (21,),
    "pedestrian_clearance": (22,),
    "dont_walk": (23,),
}
_DETECTOR_ON, _DETECTOR_OFF = 82, 81


class HiresController:
    """Kind `signal-hires`: each change of the signals is rows of a log.

    Options: `zone` (of its clock, as "America/Chicago"; default UTC, without daylight saving), `rows_max` (after so
    many rows the file is moved away and begun anew; default 2000), `http` (true: the file is served, and at `rows_max`
    its older half is forgotten instead).

    Faults, a row: noise is a line of garbage before it, flip garbles it, truncate writes it in two halves, unplug
    moves the file away before its time.
    """

    kind: ClassVar[str] = "signal-hires"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._random = random.Random(placement.seed)
        zone = placement.options.get("zone")
        self._zone = UTC if zone is None else ZoneInfo(str(zone))
        self._rows_max = int(placement.options.get("rows_max", 2000))
        self._controller = str(1000 + placement.seed % 9000)
        self.path = placement.folder / f"{placement.id}.csv"
        self._rows = 0
        self._begun_s = 0.0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin the log, and serve it where `http` says so."""
        self._begin_file()
        if self._placement.options.get("http"):
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        if self._server is None:
            return {"driver": "hires", "port": str(self.path)}
        port = self._server.sockets[0].getsockname()[1]
        return {"driver": "hires", "port": f"http://127.0.0.1:{port}/log.csv", "pull_every_s": 2}

    async def run(self) -> None:
        """Run the signal program until cancelled."""
        began_s = time.monotonic()
        try:
            for step in SignalCycle(self._placement.seed, self._placement.interval_s).steps():
                due_s = began_s + step.at / 10 / self._placement.clock.scale
                await asyncio.sleep(due_s - time.monotonic())
                await self.change(step)
        finally:
            if self._server is not None:
                self._server.close()

    async def change(self, step: Step) -> None:
        """Log that a signal changes now, by the controller's clock."""
        rates = self._placement.faults
        stamp = _stamp(self._placement.clock.now().astimezone(self._zone))
        *others, begins = _EVENTS[step.state]
        for event in others:
            self._write(self._row(stamp, event, step.phase))
        if self._happens(rates.noise):
            self._write(self._random.randbytes(20).hex() + "\r\n")
        row = self._row(stamp, begins, step.phase)
        garbled = self._happens(rates.flip)
        if garbled:
            # No checksum guards a row: one that is damaged must be seen to be, or it would be another true one.
            self._write(row.replace(",", "#"))
        elif self._happens(rates.truncate):
            self._write(row[: len(row) // 2])
            await asyncio.sleep(_HELD_BACK_S)
            self._write(row[len(row) // 2 :])
        else:
            self._write(row)
        self._tell(step, stamp, begins, sure=not garbled)
        detector = self._random.randint(1, 32)
        self._write(self._row(stamp, self._random.choice((_DETECTOR_ON, _DETECTOR_OFF)), detector))
        if self._rows >= self._rows_max or self._happens(rates.unplug):
            self._make_room()

    def _make_room(self) -> None:
        if self._server is not None:
            rows = self.path.read_text(encoding="ascii").splitlines()[1:]
            self._begin_file()
            self._write("".join(f"{row}\r\n" for row in rows[len(rows) // 2 :]))
        elif time.monotonic() - self._begun_s >= _KEPT_S:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._begin_file()

    def _happens(self, rate: float) -> bool:
        return self._random.random() < rate

    def _begin_file(self) -> None:
        self.path.write_text(_HEADER, newline="")
        self._rows, self._begun_s = 0, time.monotonic()

    def _row(self, stamp: str, event: int, parameter: int) -> str:
        return f"{stamp},{self._controller},{event},{parameter}\r\n"

    def _write(self, text: str) -> None:
        with self.path.open("a", newline="", encoding="ascii") as file:
            file.write(text)
        self._rows += text.count("\n")

    def _tell(self, step: Step, stamp: str, event: int, *, sure: bool) -> None:
        data = {
            "controller": self._controller,
            "group": step.phase,
            "kind": step.kind,
            "state": step.state,
            "start_time": stamp,
            "source": "log",
            "resolution_ms": 100,
            "raw": event,
        }
        self._truth.add(self._placement.id, "signal.phase", data, sure=sure)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = await asyncio.to_thread(self.path.read_bytes)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            writer.write(head.encode() + b"\r\n" + body)
            await writer.drain()
        finally:
            writer.close()


def _stamp(moment: datetime) -> str:
    """Local time without zone, to the tenth of a second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{moment.microsecond // 100_000}00"
