"""A simulated signal controller with an NTCIP 1202 agent: answers polls of its phase status groups over SNMP."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from devices.sim.faults import FaultRates, Faults

from .cycle import CROSSINGS, PHASES, SignalCycle
from .fixed_time import fixed_time
from .snmp_agent import SnmpAgent

if TYPE_CHECKING:
    from devices.sim.device import Placement, Truth

    from .cycle import Step

UNPOWERED_S = 0.5
LATE_UNSURE_S = 0.5
"""How late an answer may be, and still surely be taken."""

_SYS_UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
_PHASE_STATUS_GROUP_ENTRY = (1, 3, 6, 1, 4, 1, 1206, 4, 2, 1, 1, 4, 1)
_INTEGER, _TIME_TICKS = 0x02, 0x43
# The column in which a lamp's bit stands (NTCIP 1202 clause 5.2.4); red clearance is red to who looks at the lamps.
_LAMPS = {
    "red": 2,
    "red_clearance": 2,
    "yellow": 3,
    "green": 4,
    "dont_walk": 5,
    "pedestrian_clearance": 6,
    "walk": 7,
}
_COLUMNS = set(_LAMPS.values())
_PHASES_IN_GROUP = 8

_Head = tuple[int, str]


class NtcipController:
    """Kind `signal-ntcip`. Options: `udp_port`, `snmp_version`, `community`, `missing_columns` (numbers, as `[7]`).

    `fixed_time`, a table `{ phase, green_s, yellow_s, red_s }`, is a program of one phase in place of that of all
    eight; it runs by the place's clock, so that whoever knows it knows at any time what is lit.

    Faults, an answer: noise is garbage before it, truncate cuts it, flip loses it (UDP's checksum finds the bit), slow
    delays it, unplug is a power failure of half a second, after which its uptime begins anew. In the truth a state is
    told when the first whole answer says it (sure), or when it ends without any (not sure).
    """

    kind: ClassVar[str] = "signal-ntcip"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        self._placement, self._truth = placement, truth
        self._faults = Faults(replace(placement.faults, flip=0.0), placement.seed)
        self._losses = Faults(FaultRates(unplug=placement.faults.flip), placement.seed + 1)
        self._community = str(placement.options.get("community", "public"))
        self._missing = set(placement.options.get("missing_columns", ()))
        self.agent = SnmpAgent(self._community.encode(), self._read)
        self._states: dict[_Head, str] = {(phase, "vehicle"): "red" for phase in PHASES}
        self._states |= {(phase, "pedestrian"): "dont_walk" for phase in CROSSINGS}
        self._untold = set(self._states)
        self._booted_s = time.monotonic()
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen on UDP."""
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", int(self._placement.options.get("udp_port", 0)))
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Listening(self), local_addr=address)

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        assert self._transport is not None, "not started"
        port = self._transport.get_extra_info("sockname")[1]
        settings = {
            "driver": "ntcip",
            "port": f"udp://127.0.0.1:{port}",
            "snmp_version": str(self._placement.options.get("snmp_version", "1")),
            "groups": 1,
        }
        if self._community != "public":
            path = self._placement.folder / f"{self._placement.id}.community"
            path.write_text(self._community + "\n")
            settings["community_file"] = str(path)
        return settings

    async def run(self) -> None:
        """Run the signal program until cancelled."""
        assert self._transport is not None, "not started"
        began_s, steps = time.monotonic(), SignalCycle(self._placement.seed, self._placement.interval_s).steps()
        program = self._placement.options.get("fixed_time")
        if program is not None:
            began_s, steps = self._placement.clock.began_s, fixed_time(**program)
        try:
            for step in steps:
                due_s = began_s + step.at / 10 / self._placement.clock.scale
                await asyncio.sleep(due_s - time.monotonic())
                self.change(step)
        finally:
            self._transport.close()

    def change(self, step: Step) -> None:
        """Light another lamp of a phase."""
        head = (step.phase, step.kind)
        if _LAMPS[self._states[head]] != _LAMPS[step.state]:
            if head in self._untold:
                self._tell(head, sure=False)
            self._untold.add(head)
        self._states[head] = step.state

    def fail_power(self, *, for_s: float = UNPOWERED_S) -> None:
        """Be silent for so long; the uptime begins when that is over."""
        self._booted_s = time.monotonic() + for_s

    def take(self, datagram: bytes, address: Any) -> None:
        """A datagram came: answer it, or not, as the faults have it."""
        if time.monotonic() < self._booted_s:
            return
        answer = self.agent.answer(datagram)
        if answer is None:
            return
        if self._faults.unplugs():
            self.fail_power()
            return
        if self._losses.unplugs():
            return
        sent, whole = self._faults.apply(answer)
        late_s = self._faults.late_s()
        garbage, answer = sent[: -len(answer)], sent[-len(answer) :]
        if whole and late_s < LATE_UNSURE_S:
            for head in sorted(self._untold, key=lambda one: (one[0], one[1] == "pedestrian")):
                self._tell(head, sure=True)
        asyncio.get_running_loop().call_later(late_s, self._send, garbage, answer, address)

    def _send(self, garbage: bytes, answer: bytes, address: Any) -> None:
        assert self._transport is not None
        for datagram in (garbage, answer):
            if datagram and not self._transport.is_closing():
                self._transport.sendto(datagram, address)

    def _tell(self, head: _Head, *, sure: bool) -> None:
        phase, kind = head
        state = self._states[head]
        self._untold.discard(head)
        data = {
            "controller": self._placement.id,
            "group": phase,
            "kind": kind,
            "state": "red" if state == "red_clearance" else state,
            "start_time": None,
            "source": "poll",
            "resolution_ms": "*",
            "cause": "*",
        }
        self._truth.add(self._placement.id, "signal.phase", data, sure=sure)

    def _read(self, oid: tuple[int, ...]) -> tuple[int, int] | None:
        if oid == _SYS_UP_TIME:
            return _TIME_TICKS, int((time.monotonic() - self._booted_s) * 100)
        if oid[:-2] != _PHASE_STATUS_GROUP_ENTRY or oid[-1] != 1 or oid[-2] not in _COLUMNS - self._missing:
            return None
        lit = (phase for (phase, _), state in self._states.items() if _LAMPS[state] == oid[-2])
        return _INTEGER, sum(1 << (phase - 1) % _PHASES_IN_GROUP for phase in lit)


class _Listening(asyncio.DatagramProtocol):
    def __init__(self, controller: NtcipController) -> None:
        self._controller = controller

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._controller.take(data, address)
