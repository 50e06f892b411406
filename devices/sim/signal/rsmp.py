"""A simulated traffic light controller that speaks RSMP 3.1.5 to 3.2.2: it connects to its supervisor, as sites do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import Faults

from .rsmp_connection import RecentPackets, hang_up
from .rsmp_outbox import Outbox, Said
from .rsmp_program import SHOWN, SignalProgram
from .rsmp_site_session import SiteFacts, SiteSession
from .rsmp_supervisor import RsmpSupervisor

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth

RECONNECT_S = 10.0
RECONNECT_MIN_S = 0.2
ALARM_EVERY_STEPS = 12
ALARMS = {"A0010": ("Door open", "3", []), "A0202": ("Lamp error", "3", [{"n": "color", "v": "red"}])}
"""Of the signal exchange list: external text, priority, return values."""


class RsmpSite:
    """Kind `signal-rsmp`. A group changes, and is told, each interval; now and then an alarm comes or goes.

    Options: `port` (where it finds its supervisor), `proxied` (it has a supervisor of its own, simulated too, and the
    gateway is to listen), `versions` (RSMP versions that it offers), `site_id`, `reconnect_s`, `ack_timeout_s`.

    Faults, a message: noise is garbage before it, truncate cuts it and the connection, unplug cuts the connection after
    it, slow delays the site's own acknowledgements. TCP has checksums: flip does nothing. What is not acknowledged is
    kept and sent when the site is connected again, as old.
    """

    kind: ClassVar[str] = "signal-rsmp"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        options = placement.options
        self._placement = placement
        self._faults = Faults(replace(placement.faults, flip=0.0), placement.seed)
        self._proxied = bool(options.get("proxied", False))
        self._port = int(options.get("port", 0))
        self._reconnect_s = float(options.get("reconnect_s", max(RECONNECT_MIN_S, RECONNECT_S / placement.clock.scale)))
        self._random = random.Random(placement.seed)
        self._facts = SiteFacts(
            site_id=str(options.get("site_id", f"KK+AG={placement.seed:05d}")),
            component=f"KK+AG={placement.seed:05d}=001TC000",
            versions=tuple(options.get("versions", ("3.1.5", "3.2.2"))),
            ack_timeout_s=float(options.get("ack_timeout_s", 30.0)),
        )
        self.outbox = Outbox(placement.id, truth, self._facts, confirms=not self._proxied)
        self.supervisor = RsmpSupervisor() if self._proxied else None
        self.connections = 0
        self.wire = RecentPackets()

    async def start(self) -> None:
        """Choose where to find the supervisor; with one of its own, start that."""
        if self.supervisor is not None:
            await self.supervisor.start()
        if not self._port:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self._port = probe.getsockname()[1]

    def settings(self) -> dict[str, Any]:
        """By which a gateway is its supervisor, or listens."""
        settings: dict[str, Any] = {"driver": "rsmp", "port": f"tcp://127.0.0.1:{self._port}"}
        if self.supervisor is not None:
            settings |= {
                "supervisor": f"tcp://127.0.0.1:{self.supervisor.port}",
                "relay_socket": str(self._placement.folder / f"{self._placement.id}.relay"),
                "relay_idle_s": 5,
            }
        return settings

    async def run(self) -> None:
        """Control the traffic, and keep connected, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._control())
                tasks.create_task(self._keep_connected())
        finally:
            self.outbox.close()
            if self.supervisor is not None:
                await self.supervisor.close()

    async def _control(self) -> None:
        clock, before = self._placement.clock, ""
        for code, (_, _, values) in ALARMS.items():
            self.outbox.set_alarm(self._alarm(code, values, active=False))
        for step, groups in enumerate(SignalProgram(self._placement.seed).steps()):
            self.outbox.say(Said.of_groups(groups, before, SHOWN, clock.now(), self._facts))
            if step % ALARM_EVERY_STEPS == ALARM_EVERY_STEPS - 1:
                code = self._random.choice(sorted(ALARMS))
                active = not self.outbox.alarms[code].active
                self.outbox.set_alarm(self._alarm(code, ALARMS[code][2], active=active))
                self.outbox.say(self.outbox.alarms[code])
            before = groups
            await asyncio.sleep(self._placement.real_interval_s)

    def _alarm(self, code: str, values: list[dict[str, str]], *, active: bool) -> Said:
        text, priority, _ = ALARMS[code]
        return Said.of_alarm(code, text, priority, values, self._placement.clock.now(), self._facts, active=active)

    async def _keep_connected(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                self.connections += 1
                session = SiteSession(self._facts, self.outbox, self._faults, self._placement.clock, writer, self.wire)
                try:
                    await session.run(reader)
                finally:
                    self.outbox.disconnect()
                    hang_up(writer)
            await asyncio.sleep(self._reconnect_s)
