"""Signal controllers by their high-resolution event log: a CSV file that is followed, or pulled over HTTP or FTP.

The driver keeps no place in the log across restarts: it reads from the start again, and each reading's id is its row's
identity, by which the recorder knows what is recorded already. As that memory is of 10,000 ids a device, no more than
the last 10,000 phase events of a log are told when it is begun.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Origin, Reading, WireCounters, WireRole
from devices.signal.hires_file import FollowedFile
from devices.signal.hires_pull import Account, PullError, pull, url_problem
from devices.signal.hires_rows import STATES, RowReader
from devices.wire.secret_file import read_secret
from ledger_sync.proof.settings import parse_file, setting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

    from devices.signal.hires_rows import PhaseEvent

FOLLOW_EVERY_S = 0.25
RECALL_MIN = 10_000
RESOLUTION_MS = 100
_PASSWORD_BYTES_MAX = 256


def _is_url(port: str) -> bool:
    return "://" in port


def _check_port(port: str) -> str | None:
    if not port or "\0" in port:
        return "is empty; name the log's file, or its http://, https:// or ftp:// URL"
    return url_problem(port) if _is_url(port) else None


@dataclass(frozen=True)
class HiresSettings:
    """Keys of a `[[device]]` with `driver = "hires"`."""

    port: str = setting(doc="the log: a file that is followed, or the URL it is pulled from", check=_check_port)
    pull_every_s: float = setting(60.0, doc="seconds from one pull to the next", minimum=1, maximum=3600)
    user: str = setting("", doc="the name to log in with at the controller", maximum=64)
    password_file: Path | None = setting(None, doc="a file with the password for it", parse=parse_file)

    def __post_init__(self) -> None:
        """Raises ValueError for a name that is none, or without password and the reverse, or for either and a file."""
        if not self.user.isprintable():
            raise ValueError("user: must be one line of text")
        if bool(self.user) != (self.password_file is not None):
            raise ValueError("user and password_file go together")
        if self.user and not _is_url(self.port):
            raise ValueError("user and password_file are for a port that is a URL")


class Hires:
    """Driver of one controller's log: a `signal.phase` for each row at which a state begins."""

    Settings: ClassVar[type[HiresSettings]] = HiresSettings
    wire_role: ClassVar[WireRole] = WireRole.SHARED

    def __init__(self, device: str, settings: HiresSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._file = None if _is_url(settings.port) else FollowedFile(Path(settings.port))
        self._account = Account()
        self._origin = Origin.AUTHENTICATED_LINK if settings.port.startswith("https:") else Origin.UNPROTECTED
        self._reader = RowReader(device, self.counters)
        self._pulled: tuple[PhaseEvent, ...] | None = None
        self._pull_errors = 0
        self._stop = threading.Event()
        # What was told since the driver was made: a log that is read again from its start is told once.
        self._told: OrderedDict[str, None] = OrderedDict()

    async def open(self) -> None:
        """Open the file, or pull the log once. Raises DeviceError."""
        await self.close()
        self._reader = RowReader(self.device, self.counters)
        try:
            if self._file is not None:
                await asyncio.to_thread(self._file.open)
            else:
                self._account = await asyncio.to_thread(self._read_account)
                self._stop = threading.Event()
                self._pulled = await self._pull()
        except OSError as error:
            raise self._lost(error) from error

    async def readings(self) -> AsyncIterator[Reading]:
        """The last 10,000 phase events of the log, then each new one, in the order of the log.

        Raises DeviceError when the file is gone for 10 s or cannot be read, or a pull fails.
        """
        async with aclosing(self._pulls() if self._file is None else self._followed(self._file)) as found:
            async for events in found:
                for event in self._untold(events):
                    self.counters.readings += 1
                    yield self._reading(event)

    async def close(self) -> None:
        """Close the file; idempotent."""
        self._pulled = None
        self._stop.set()
        if self._file is not None:
            await asyncio.to_thread(self._file.close)

    async def _followed(self, file: FollowedFile) -> AsyncGenerator[Iterable[PhaseEvent]]:
        backlog: deque[PhaseEvent] | None = deque(maxlen=RECALL_MIN)
        while True:
            try:
                growth = await asyncio.to_thread(file.read)
            except OSError as error:
                raise self._lost(error) from error
            if growth.begins_anew:
                yield backlog or ()
                backlog = deque(maxlen=RECALL_MIN)
                self.counters.bytes_dropped += self._reader.waiting_bytes
                self._reader = RowReader(self.device, self.counters)
            elif growth.data:
                events = self._reader.feed(growth.data)
                if backlog is None:
                    yield events
                else:
                    backlog.extend(events)
            else:
                if backlog is not None:
                    yield backlog
                    backlog = None
                await asyncio.sleep(FOLLOW_EVERY_S)

    async def _pulls(self) -> AsyncGenerator[Iterable[PhaseEvent]]:
        if self._pulled is None:
            raise DeviceError(f"{self._settings.port}: is not open; open it first")
        pulled, self._pulled = self._pulled, None
        while True:
            yield pulled
            await asyncio.sleep(self._settings.pull_every_s)
            pulled = await self._pull()

    async def _pull(self) -> tuple[PhaseEvent, ...]:
        """The last 10,000 phase events of the log as it is now."""
        counters = WireCounters()
        reader = RowReader(self.device, counters)
        last: deque[PhaseEvent] = deque(maxlen=RECALL_MIN)

        def take(data: bytes) -> None:
            last.extend(reader.feed(data))

        try:
            await asyncio.to_thread(pull, self._settings.port, self._account, take, self._stop)
        except PullError as error:
            raise DeviceError(
                f"{self._settings.port}: {error}; check the controller, the URL, `user` and `password_file`"
            ) from error
        # The same log again has the same errors: only what came on counts.
        self.counters.errors += max(0, counters.errors - self._pull_errors)
        self._pull_errors = counters.errors
        self.counters.last_error = counters.last_error or self.counters.last_error
        return tuple(last)

    def _untold(self, events: Iterable[PhaseEvent]) -> Iterator[PhaseEvent]:
        for event in events:
            identity = event.identity
            if identity not in self._told:
                self._told[identity] = None
                if len(self._told) > RECALL_MIN:
                    self._told.popitem(last=False)
                yield event

    def _reading(self, event: PhaseEvent) -> Reading:
        kind, state = STATES[event.event]
        data = {
            "controller": event.controller,
            "group": event.parameter,
            "kind": kind,
            "state": state,
            "start_time": event.time,
            "source": "log",
            "resolution_ms": RESOLUTION_MS,
            "raw": event.event,
        }
        return Reading("signal.phase", data, self._origin, event.identity)

    def _read_account(self) -> Account:
        path = self._settings.password_file
        if path is None:
            return Account()
        try:
            password = read_secret("password_file", path, _PASSWORD_BYTES_MAX).decode("utf-8")
        except UnicodeDecodeError:
            password = ""
        if not password or not password.isprintable():
            # Not from the decoder's error, which holds the password.
            raise DeviceError(f"password_file {path}: is no line of UTF-8 text; write the password anew")
        return Account(self._settings.user, password)

    def _lost(self, error: OSError) -> DeviceError:
        what = error.strerror or str(error)
        return DeviceError(f"{self._settings.port}: cannot be read ({what}); check that it is there and may be read")
