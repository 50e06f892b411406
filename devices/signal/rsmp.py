"""Traffic light controllers that speak RSMP (core 3.1.2 to 3.2.2, signal exchange list for traffic lights), over TCP.

A site connects to its supervisor. Where it has one already, this driver listens between the two and owns nothing;
where it has none, this driver is its supervisor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time
from typing import TYPE_CHECKING, ClassVar

from devices.driver import WireCounters, WireRole
from devices.signal.rsmp_observer import LABEL_CHARACTERS_MAX
from devices.signal.rsmp_proxy_link import ProxyLink
from devices.signal.rsmp_relay import IDLE_S
from devices.signal.rsmp_relay_line import RelayLine
from devices.signal.rsmp_session import SessionSettings
from devices.signal.rsmp_supervisor_link import SupervisorLink
from devices.wire.tcp_line import parse_tcp_url
from ledger_sync.proof.settings import parse_file, setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading, Recorded, Refused


def _check_url(url: str) -> str | None:
    try:
        parse_tcp_url(url)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class RsmpSettings:
    """Keys of a `[[device]]` with `driver = "rsmp"`."""

    port: str = setting(doc="tcp://host:port where the site connects; tcp://0.0.0.0:12111", check=_check_url)
    supervisor: str | None = setting(None, doc="tcp://host:port of the supervisor that owns the site", check=_check_url)
    relay_socket: Path | None = setting(None, doc="where the relay to that supervisor is found", parse=parse_file)
    relay_idle_s: float = setting(
        IDLE_S, doc="the relay ends after so long without gateway and site", minimum=1, maximum=86_400
    )
    site_id: str | None = setting(
        None, doc="the site's id, and no other; default what it says", minimum=1, maximum=LABEL_CHARACTERS_MAX
    )
    component: str | None = setting(
        None, doc="the component with the signal groups", minimum=1, maximum=LABEL_CHARACTERS_MAX
    )
    ack_timeout_s: float = setting(30.0, doc="how long the site may take to acknowledge", minimum=0.1, maximum=600)
    watchdog_s: float = setting(60.0, doc="seconds from one watchdog to the next", minimum=0.1, maximum=3600)

    def __post_init__(self) -> None:
        """Raises ValueError where keys of a listener and of a supervisor are mixed."""
        if (self.supervisor is None) != (self.relay_socket is None):
            raise ValueError("supervisor and relay_socket go together: a path such as var/signal-1.relay")
        if self.supervisor is not None and self.component is not None:
            raise ValueError("component is for a site without supervisor: a listener subscribes to nothing")


class Rsmp:
    """Driver of one site: `signal.phase` for each group that changes, `signal.alarm`; `Answering`.

    A message is acknowledged (or, listening, let go by the relay) only after all of its readings are recorded.
    """

    Settings: ClassVar[type[RsmpSettings]] = RsmpSettings
    wire_role: WireRole = WireRole.SOLE_MASTER

    def __init__(self, device: str, settings: RsmpSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._link: ProxyLink | SupervisorLink
        if settings.supervisor is not None and settings.relay_socket is not None:
            self.wire_role = WireRole.LISTEN_ONLY
            line = RelayLine(settings.relay_socket, settings.port, settings.supervisor, settings.relay_idle_s)
            self._link = ProxyLink(line, self.counters, settings.site_id)
        else:
            session = SessionSettings(settings.site_id, settings.component, settings.ack_timeout_s, settings.watchdog_s)
            self._link = SupervisorLink(settings.port, session, self.counters)

    async def open(self) -> None:
        """Wait until the site has connected, 20 s at most. Raises DeviceError."""
        await self._link.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings in the order of the wire. Raises DeviceError when the site is gone, or does not keep to RSMP."""
        async for reading in self._link.readings():
            yield reading

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Acknowledge the message of a reading, when it was the last of it."""
        await self._link.answer(reading, outcome)

    async def close(self) -> None:
        """Close the site's connection; listening, only the gateway's own to the relay. Idempotent."""
        await self._link.close()
