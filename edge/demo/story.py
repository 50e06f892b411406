"""What happens in the demo, in order. Each act waits for what it needs to see, with a deadline."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import DemoFailedError
from .figures import Figures, Spread, spread_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from .figures import Sampler
    from .places import Places
    from .processes import Processes
    from .screen import Screen
    from .validator import TappingValidator
    from .watch import GatewayWatch

LOOK_INTERVAL_S = 0.25
START_MAX_S = 20.0
FLOW_S = 12.0
SETTLE_S = 0.5
SEAL_MAX_S = 5.0
DARK_S = 1.5
BROKER_ALONE_S = 2.0
RETURN_MAX_S = 15.0
AFTERWARDS_S = 4.0
DRAIN_MAX_S = 35.0


@dataclass(frozen=True, slots=True)
class Outage:
    """What the plug was pulled on, and for how long; `last_acknowledged` is the id of a tap."""

    broker_s: float
    gateway_s: float
    taps_in_flight: int
    batches_waiting: int
    last_acknowledged: str
    tap_wait_before: Spread | None
    receipt_wait_before: Spread | None


class Story:
    """The acts of the demo over its parts. `run` plays them all; `look` keeps `figures` and the screen up to date."""

    def __init__(
        self,
        places: Places,
        processes: Processes,
        validator: TappingValidator,
        watch: GatewayWatch,
        sampler: Sampler,
        screen: Screen,
    ) -> None:
        self._places = places
        self._processes = processes
        self._validator = validator
        self._watch = watch
        self._sampler = sampler
        self._screen = screen
        self._looked = asyncio.Event()
        self.figures = Figures()

    async def look(self) -> None:
        """Look at everything four times a second, until cancelled. Raises HarnessError when a process has died."""
        while True:
            self._processes.check()
            self._validator.check()
            self.figures = await asyncio.to_thread(self._sampler.sample)
            self._screen.show(self.figures)
            self._looked.set()
            self._looked.clear()
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def run(self) -> Outage:
        """Play all acts; returns once every event has its receipt. Raises DemoFailedError."""
        await self._start()
        await self._flow()
        outage = await self._pull_the_plug()
        await self._drain()
        return outage

    async def _start(self) -> None:
        processes = self._processes
        self._screen.tell("starting broker, city ledger, gateway, two meters, fare validator")
        processes.broker.start()
        processes.meters.start()
        await self._broker_listens()
        processes.ledger.start()
        processes.gateway.start()
        await self._until(self._is_flowing, START_MAX_S, "every device is online and a receipt is there", "gateway")

    async def _flow(self) -> None:
        self._validator.start_tapping()
        self._screen.tell("normal flow: read, sign, commit, answer; and batch, anchor, receipt")
        await asyncio.sleep(FLOW_S)

    def _is_flowing(self) -> bool:
        states = self.figures.device_states
        online = bool(states) and all(state == "online" for state in states.values())
        return online and self.figures.pipeline.receipted.batches > 0

    async def _pull_the_plug(self) -> Outage:
        """Kill the broker; once a batch waits for its receipt, the gateway, just after a tap. Then start both again."""
        processes, validator = self._processes, self._validator
        tap_wait, receipt_wait = spread_ms(validator.tap_waits_s), spread_ms(self._sampler.receipt_waits_s)
        processes.broker.kill()
        broker_since = time.monotonic()
        self._screen.tell("PULLING THE PLUG: broker SIGKILLed; batches wait in the journal")
        await asyncio.sleep(SETTLE_S)  # for a receipt that had left the broker, and a sample that knows of it
        await self._until(
            lambda: self.figures.waiting > 0, SEAL_MAX_S, "a batch is sealed without the broker", "gateway"
        )
        if not await asyncio.to_thread(validator.wait_for_tap, SEAL_MAX_S):
            raise DemoFailedError(f"the validator could not send a tap; see {processes.gateway.log_path}")
        processes.gateway.kill()
        gateway_since = time.monotonic()
        in_flight, last_acknowledged = validator.unanswered, validator.acknowledged[-1]
        self._screen.tell(f"PULLING THE PLUG: gateway SIGKILLed; taps in flight: {in_flight}")
        await asyncio.sleep(DARK_S)
        waiting = self.figures.waiting
        processes.broker.start()
        await self._broker_listens()
        broker_s = time.monotonic() - broker_since
        self._screen.tell("broker started again on its port; it has forgotten everything")
        await asyncio.sleep(BROKER_ALONE_S)
        processes.gateway.start()
        committed = self.figures.pipeline.committed
        await self._until(
            lambda: self.figures.pipeline.committed > committed, RETURN_MAX_S, "the gateway records again", "gateway"
        )
        gateway_s = time.monotonic() - gateway_since
        self._screen.tell("gateway started again on its journal; what waited drains")
        return Outage(broker_s, gateway_s, in_flight, waiting, last_acknowledged, tap_wait, receipt_wait)

    async def _drain(self) -> None:
        """Normal flow again, then no more readings, until every event has its receipt."""
        await asyncio.sleep(AFTERWARDS_S)
        self._validator.stop_tapping()
        await self._processes.meters.stop()
        self._screen.tell("devices fall silent; waiting until the last event has its receipt")
        await self._until(lambda: self.figures.is_at_rest, DRAIN_MAX_S, "every event has its receipt", "ledger")
        self._screen.tell("at rest: every tap is answered, every event has its receipt")

    async def _broker_listens(self) -> None:
        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._places.port)) == 0

        await self._until(listens, START_MAX_S, "the broker listens", "broker")

    async def _until(self, condition: Callable[[], bool], deadline_s: float, what: str, log: str) -> None:
        """Wait for `condition`, asked after each look. Raises DemoFailedError when it did not come about in time."""
        try:
            async with asyncio.timeout(deadline_s):
                while not condition():
                    await self._looked.wait()
        except TimeoutError:
            raise DemoFailedError(
                f"it did not come about within {deadline_s:g} s that {what}; see {self._places.directory / log}.log"
            ) from None
