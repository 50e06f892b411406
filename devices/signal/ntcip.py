"""Traffic signal controllers by NTCIP 1202: the phase status groups, polled over SNMP (v1 or v2c).

The driver only ever sends GETs: `ntcip_snmp.py` can encode nothing else. One GET asks for all columns of all groups,
so that the colours of one answer are of one moment.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, Any, ClassVar

from devices.driver import DeviceError, Origin, Reading, WireCounters, WireRole
from devices.signal.ntcip_phases import STATUS_MAX, SYS_UP_TIME, PhaseWatch, StatusColumn
from devices.signal.ntcip_snmp import (
    FIRST_REQUEST_ID,
    INTEGER,
    LAST_REQUEST_ID,
    MISSING,
    NO_SUCH_NAME,
    TIME_TICKS,
    TOO_BIG,
    Answer,
    GetRequest,
    Malformed,
    decode_answer,
    encoded_oid,
)
from devices.signal.ntcip_udp import UdpLink, parse_udp_url
from devices.wire.secret_file import read_secret
from ledger_sync.proof.settings import parse_file, setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.signal.ntcip_phases import PhaseState, Statuses
    from devices.signal.ntcip_snmp import Variable

ANSWER_DEADLINE_S = 1.0
LOST_MAX = 3
# Up to the first good answer: a controller without half of the objects is to open at once, however seldom it is polled.
OPENING_POLL_S_MAX = 0.1
_RESOLUTION_MS_MAX = 3_600_000
_COMMUNITY_BYTES_MAX = 64
# sysUpTime begins anew at 2^32: an earlier time is no restart if the one before was within a minute of that.
_LAST_MINUTE_TICKS = (1 << 32) - 6000

Column = tuple[int, StatusColumn]


def _check_port(port: str) -> str | None:
    try:
        parse_udp_url(port)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class NtcipSettings:
    """Keys of a `[[device]]` with `driver = "ntcip"`."""

    port: str = setting(doc="the controller's SNMP agent, udp://host or udp://host:port (161)", check=_check_port)
    snmp_version: str = setting("1", doc='"1" or "2c"', choices=("1", "2c"))
    community_file: Path | None = setting(
        None, doc="a file with the read community; without it the community is public", parse=parse_file
    )
    groups: int = setting(2, doc="how many groups of eight phases are asked for", minimum=1, maximum=4)
    poll_ms: int = setting(100, doc="milliseconds from one GET to the next", minimum=50, maximum=60_000)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One good answer: asked for when (monotonic), and what it said."""

    asked_s: float
    statuses: Statuses


class Ntcip:
    """Driver of one signal controller: a `signal.phase` for each change of a phase that two polls bracket."""

    Settings: ClassVar[type[NtcipSettings]] = NtcipSettings
    wire_role: ClassVar[WireRole] = WireRole.SHARED

    def __init__(self, device: str, settings: NtcipSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._link = UdpLink(settings.port, self.counters)
        self._request_id = random.randint(FIRST_REQUEST_ID, LAST_REQUEST_ID)  # noqa: S311 - tells answers apart only
        self._community = b"public"
        self._wanted: dict[bytes, Column | None] = {}
        self._request = GetRequest(settings.snmp_version, b"", ())
        self._up_time: int | None = None
        self._lost = 0
        self._asked_s = -math.inf
        self._first: _Snapshot | None = None

    async def open(self) -> None:
        """Read the community, and ask once. Raises DeviceError when the controller does not answer three times."""
        path = self._settings.community_file
        if path is not None:
            self._community = await asyncio.to_thread(read_secret, "community_file", path, _COMMUNITY_BYTES_MAX)
        await self._link.open()
        self._wanted = {encoded_oid(SYS_UP_TIME): None}
        for group in range(1, self._settings.groups + 1):
            self._wanted |= {encoded_oid(f"{column}.{group}"): (group, column) for column in StatusColumn}
        self._write_request()
        self._up_time, self._lost = None, 0
        try:
            self._first = await self._poll(min(self._settings.poll_ms / 1000, OPENING_POLL_S_MAX))
        except DeviceError:
            await self.close()
            raise

    async def readings(self) -> AsyncIterator[Reading]:
        """First the state of each phase, then each change.

        Raises DeviceError when three polls in a row fail, the controller has restarted or knows no phases.
        """
        watch, first = PhaseWatch(), self._first
        if first is None:
            raise DeviceError(f"{self._settings.port}: is not open; open it first")
        self._first = None
        since_s, snapshot, opening = first.asked_s, first, True
        while True:
            for change in watch.changes(snapshot.statuses):
                # No earlier than the question before, and told no later than now: a reading may have had to wait.
                passed_ms = max(self._settings.poll_ms, math.ceil((time.monotonic() - since_s) * 1000))
                self.counters.readings += 1
                yield self._reading(change, passed_ms, opening=opening)
            since_s, opening = snapshot.asked_s, False
            snapshot = await self._poll(self._settings.poll_ms / 1000)

    async def close(self) -> None:
        """Close the socket; idempotent."""
        self._first = None
        await self._link.close()

    def _reading(self, change: PhaseState, resolution_ms: int, *, opening: bool) -> Reading:
        data: dict[str, Any] = {
            "controller": self.device,
            "group": change.phase,
            "kind": change.kind,
            "state": change.state,
            "start_time": None,
            "source": "poll",
            "resolution_ms": min(resolution_ms, _RESOLUTION_MS_MAX),
            "cause": "opening" if opening else "change",
        }
        if change.contradiction is not None:
            data["raw"] = change.contradiction
        return Reading("signal.phase", data, Origin.UNPROTECTED)

    async def _poll(self, interval_s: float) -> _Snapshot:
        """Ask, `interval_s` after the last time, until an answer is good. Raises DeviceError."""
        while True:
            await asyncio.sleep(self._asked_s + interval_s - time.monotonic())
            self._asked_s = time.monotonic()
            answer = await self._exchange()
            statuses = None if answer is None else self._statuses(answer)
            if statuses:
                self._lost = 0
                return _Snapshot(self._asked_s, statuses)

    async def _exchange(self) -> Answer | None:
        """The answer to one GET; None when it is lost, which is counted."""
        self._request_id = self._request_id + 1 if self._request_id < LAST_REQUEST_ID else FIRST_REQUEST_ID
        self._link.send(self._request.encode(self._request_id))
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                while True:
                    answer = decode_answer(await self._link.receive())
                    if isinstance(answer, Malformed):
                        self._count_error(f"a datagram is no SNMP answer: {answer.why}")
                    elif answer.request_id != self._request_id:
                        self._count_error("an answer came late, or to a question that was not asked")
                    else:
                        return answer
        except TimeoutError:
            self._fail_poll(f"no answer within {ANSWER_DEADLINE_S:g} s")
        except OSError as error:
            self._fail_poll(f"the host refused ({error.strerror or error})")
        return None

    def _statuses(self, answer: Answer) -> Statuses | None:
        """What an answer says; None when it is of no use, which is counted. Raises DeviceError."""
        if answer.error_status:
            self._take_error(answer)
            return None
        if [one.oid for one in answer.variables] != list(self._wanted):
            self._fail_poll("an answer holds other objects than were asked for")
            return None
        statuses: Statuses = {}
        for variable in answer.variables:
            column = self._wanted[variable.oid]
            if variable.tag in MISSING:
                self._drop(variable.oid)
            elif column is None:
                self._check_restart(variable)
            elif variable.tag == INTEGER and variable.number is not None and 0 <= variable.number <= STATUS_MAX:
                statuses[column] = variable.number
            else:
                self._fail_poll(f"{_name(column)} is no number from 0 to {STATUS_MAX}")
                return None
        return statuses

    def _take_error(self, answer: Answer) -> None:
        """SNMPv1 fails the whole request for one object that is missing (RFC 1157 section 4.1.2)."""
        if answer.error_status == TOO_BIG:
            raise DeviceError(f"{self._settings.port}: its answer would be too long for it; lower `groups`")
        if answer.error_status == NO_SUCH_NAME and 1 <= answer.error_index <= len(self._wanted):
            self._drop(list(self._wanted)[answer.error_index - 1])
        else:
            self._fail_poll(f"the agent answered error {answer.error_status}")

    def _drop(self, oid: bytes) -> None:
        """Ask no more, until it is opened again, for an object that the controller has not got."""
        column = self._wanted.pop(oid)
        self._count_error(f"the controller has no {_name(column)}; it is not asked for any more")
        if not any(self._wanted.values()):
            raise DeviceError(
                f"{self._settings.port}: has no phase status groups; check that it speaks NTCIP 1202 and that the"
                " community may read them"
            )
        self._write_request()

    def _check_restart(self, variable: Variable) -> None:
        before, now = self._up_time, variable.number
        if variable.tag != TIME_TICKS or now is None:
            self._count_error("sysUpTime is no time")
            return
        self._up_time = now
        if before is not None and now < before < _LAST_MINUTE_TICKS:
            raise DeviceError(
                f"{self._settings.port}: the controller restarted {now // 100} s ago, having run for {before // 100} s;"
                " nothing to mend unless it happens again"
            )

    def _write_request(self) -> None:
        self._request = GetRequest(self._settings.snmp_version, self._community, tuple(self._wanted))

    def _fail_poll(self, what: str) -> None:
        self._count_error(what)
        self._lost += 1
        if self._lost >= LOST_MAX:
            raise DeviceError(
                f"{self._settings.port}: {LOST_MAX} polls in a row failed, the last: {what}; check the controller, its"
                " address, `snmp_version` and the community"
            )

    def _count_error(self, what: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = what


def _name(column: Column | None) -> str:
    return "sysUpTime" if column is None else f"phase status group {column[0]} {column[1].name.lower()}"
