"""The gateway: the whole pipeline on one page.

    device → driver → Reading → supervisor → recorder (stamp, queue) → journal writer (sequence, sign, COMMIT)
           → answer to the device
    journal → batch sealed → anchorer → broker → city ledger → receipt → journal

One task group holds everything that runs. To stop is to end the sources, commit, seal, publish, and leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from broker.publication import SessionError
from broker.session import Session
from broker.status import GatewayState, health_publication, status_publication
from broker.topics import RECEIPT, batch_filter, parse_batch_topic
from edge.anchor_store import JournalAnchorStore
from edge.clock import Clock
from edge.device.drivers import followed_devices, last_recorded, make_driver
from edge.device.supervisor import SupervisedDevice, supervise
from edge.error_groups import leaves
from edge.evidence.uploader import evidence_subscriptions, make_uploader
from edge.health import HealthSources
from edge.journal.errors import JournalCorruptError
from edge.journal.files import ensure_born, journals_set_aside, last_known, set_aside
from edge.journal.reader import JournalReader
from edge.journal.writer import JournalWriter
from edge.recorder import Recorder, RecorderLimits
from edge.set_aside import open_set_aside
from edge.signer import FileSigner
from ledger_sync.anchorer import Anchorer
from ledger_sync.proof.event_types import PASSPORT
from ledger_sync.proof.keyfile import load_key
from ledger_sync.proof.ownership import owned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from broker.publication import Publication
    from edge.config import GatewayConfig
    from edge.evidence.uploader import Uploader
    from edge.signer import Signer
    from ledger_sync.anchorer import AnchorStore

log = logging.getLogger("wayside.gateway")

CLOCK_TICK_S = 1.0
AFTER_CORRUPTION_S = 1.0
STOP_TOTALS_MAX_S = 0.3
STOP_RECORD_MAX_S = 1.0
STOP_CLOSE_MAX_S = 1.0
STOP_PUBLISH_MAX_S = 0.7
_MIB = 1 << 20


async def run_gateway(
    config: GatewayConfig, stop: asyncio.Event, *, step: Callable[[str], None] = lambda _: None
) -> None:
    """Run a gateway until `stop` is set; then record `gateway.stop`, seal, publish and return within 5 s.

    `step` is called at each point where a crash matters (fault tests pass one). Raises OwnedError,
    JournalForeignError, KeyFileError before anything runs.
    """
    place = config.place
    signer = FileSigner(place.city, place.gateway, load_key(place.key_path))
    with owned(place.data_dir / "gateway.lock", "wayside run"):
        while not stop.is_set():
            try:
                await _run_journal(config, signer, stop, step)
            except* JournalCorruptError as errors:
                problem = str(leaves(errors)[0])
                kept = set_aside(place.data_dir)
                log.error("journal is corrupt; a new one is begun", extra={"problem": problem, "kept": str(kept)})  # noqa: TRY400
                await _pause(stop)


async def _pause(stop: asyncio.Event) -> None:
    """A disk that corrupts whatever it is given must not fill itself with journals in a minute."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AFTER_CORRUPTION_S):
            await stop.wait()


async def _run_journal(config: GatewayConfig, signer: Signer, stop: asyncio.Event, step: Callable[[str], None]) -> None:
    """Run with the current journal until `stop` is set. Raises JournalCorruptError, in an exception group."""
    path = ensure_born(config.place.data_dir, config.place.city, config.place.gateway)
    try:
        journal = JournalWriter(path, signer, config.batch.count_max, step)
    except JournalCorruptError as error:
        raise ExceptionGroup("journal", [error]) from error
    with contextlib.ExitStack() as stack:
        readers = _Readers(*(stack.enter_context(JournalReader(path)) for _ in fields(_Readers)))
        aside = open_set_aside(config.place.data_dir, stack)
        await _Gateway(config, journal, readers, aside, Clock(), step).run(stop)


@dataclass(frozen=True, slots=True)
class _Readers:
    """One reading connection for each that may read at the same time: anchorer, health, background check, uploader."""

    anchorer: JournalReader
    health: JournalReader
    check: JournalReader
    evidence: JournalReader


@dataclass(slots=True)
class _Parts:
    """What runs, wired up."""

    recorder: Recorder
    session: Session
    anchorer: Anchorer
    set_aside: list[Anchorer]
    devices: list[SupervisedDevice]
    uploader: Uploader
    health: HealthSources


class _Gateway:
    """One gateway over one journal."""

    def __init__(
        self,
        config: GatewayConfig,
        journal: JournalWriter,
        readers: _Readers,
        aside: Sequence[AnchorStore],
        clock: Clock,
        step: Callable[[str], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._since = datetime.now(UTC)
        self._is_new = journal.position == (1, 1)
        self._readers = readers
        self._parts = self._wire(journal, aside, step)

    def _wire(self, journal: JournalWriter, aside: Sequence[AnchorStore], step: Callable[[str], None]) -> _Parts:
        config, place = self._config, self._config.place
        limits = RecorderLimits(
            commit_count_max=config.journal.commit_count_max,
            commit_age_max_s=config.journal.commit_age_max_ms / 1000,
            batch_age_max_s=config.batch.age_max_s,
            size_max_bytes=config.journal.size_max_mb * _MIB,
        )
        recorder = Recorder(journal, self._clock, limits)
        session = Session(
            config.broker,
            place.gateway,
            subscriptions=((batch_filter(RECEIPT, place.city, place.gateway), 1), *evidence_subscriptions(config)),
            will=self._status(GatewayState.OFFLINE, self._since),
            on_connect=(self._status(GatewayState.ONLINE, self._since),),
        )
        current = JournalAnchorStore(self._readers.anchorer, recorder)
        anchorer, *set_aside = (
            Anchorer(session, store, place.city, place.gateway, config.ledgers) for store in (current, *aside)
        )
        devices = self._make_devices(recorder)
        uploader = make_uploader(config, session, self._readers.evidence, step)
        health = HealthSources(
            place.data_dir,
            limits.size_max_bytes,
            self._clock,
            session,
            recorder,
            self._readers.health,
            anchorer.counters,
            devices,
            uploader.health,
        )
        return _Parts(recorder, session, anchorer, set_aside, devices, uploader, health)

    def _make_devices(self, recorder: Recorder) -> list[SupervisedDevice]:
        config, place = self._config, self._config.place
        devices = []
        for one in config.devices:
            driver = make_driver(one, config.authorities, place.evidence_dir)
            device = SupervisedDevice(one.common, driver, place.gateway)
            for followed in followed_devices(driver, one, place.gateway):
                recorder.follow(followed, device.follow)
            devices.append(device)
        return devices

    def _status(self, state: GatewayState, since: datetime) -> Publication:
        place = self._config.place
        return status_publication(place.city, place.gateway, state, self._clock.boot_id, since)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or the journal turns out to be corrupt."""
        parts = self._parts
        parts.recorder.start()
        try:
            for device in parts.devices:
                device.last_recorded = last_recorded(device.driver, device.id, self._readers.health)
            async with asyncio.TaskGroup() as tasks:
                sources = [tasks.create_task(self._sources(), name="sources")]
                uplink = [
                    *(
                        tasks.create_task(one.run(), name=f"anchorer of {one.journal_id.hex()}")
                        for one in (parts.anchorer, *parts.set_aside)
                    ),
                    tasks.create_task(self._receive(), name="receipts"),
                    tasks.create_task(self._tell_health(), name="health"),
                    tasks.create_task(self._check_journal(), name="journal check"),
                    tasks.create_task(parts.uploader.run(), name="evidence"),
                ]
                session = tasks.create_task(parts.session.run(), name="session")
                failure = tasks.create_task(self._watch_recorder(), name="recorder")
                await stop.wait()
                await _end(sources)
                await self._finish(uplink)
                await _end([session, failure])
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_CLOSE_MAX_S):
                    await parts.recorder.close()

    async def _sources(self) -> None:
        """Everything that records: `gateway.start` first, then devices, heartbeat and clock."""
        await self._record_start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._supervise(), name="supervisor")
            tasks.create_task(self._heartbeat(), name="heartbeat")
            tasks.create_task(self._watch_clock(), name="clock")

    async def _record_start(self) -> None:
        """`gateway.start`; in a journal that follows another, a `gateway.gap` first that names the other one."""
        recorder, place = self._parts.recorder, self._config.place
        earlier = journals_set_aside(place.data_dir)
        if self._is_new and earlier:
            await recorder.record_own(place.gateway, "gateway.gap", _gap_after(earlier[-1]))
        start = {"software": f"wayside {version('wayside')}", "configuration_sha256": self._config.sha256}
        await recorder.record_own(place.gateway, "gateway.start", start)

    async def _supervise(self) -> None:
        """The devices, once their passports are queued: each event of theirs can name it."""
        for device in self._config.devices:
            await self._parts.recorder.record_about(device.id, PASSPORT, device.common.passport or {})
        await supervise(self._parts.devices, self._parts.recorder)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._config.heartbeat_s)
            await self._parts.recorder.record_own(self._config.place.gateway, "gateway.heartbeat", {})

    async def _watch_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_TICK_S)
            step_us = self._clock.tick()
            if step_us is not None:
                log.warning("UTC was stepped", extra={"step_us": step_us})
                await self._parts.recorder.record_own(self._config.place.gateway, "gateway.clock", {"step_us": step_us})

    async def _receive(self) -> None:
        current = self._parts.anchorer
        of_journal = {one.journal_id: one for one in (current, *self._parts.set_aside)}
        async for message in self._parts.session.messages():
            if self._parts.uploader.receive(message):
                continue
            address = parse_batch_topic(RECEIPT, self._config.place.city, message.topic)
            await of_journal.get(address.journal if address else b"", current).receive(message)

    async def _tell_health(self) -> None:
        place, interval_s = self._config.place, self._config.health.interval_s
        while True:
            await self._parts.session.wait_connected()
            values = await asyncio.to_thread(self._parts.health.values)
            with contextlib.suppress(SessionError):  # the next one tells more than a late one
                await self._parts.session.publish(health_publication(place.city, place.gateway, values, interval_s))
            await asyncio.sleep(interval_s)

    async def _check_journal(self) -> None:
        """Once a start, beside everything else: SQLite's check of the whole file."""
        reader = self._readers.check
        try:
            await asyncio.to_thread(reader.quick_check)
        except asyncio.CancelledError:
            reader.interrupt()
            raise

    async def _watch_recorder(self) -> None:
        await asyncio.shield(self._parts.recorder.failure)

    async def _finish(self, uplink: list[asyncio.Task[None]]) -> None:
        """Last totals, then `gateway.stop` as the last event; sealed, published; each within its share of the 5 s."""
        parts, place = self._parts, self._config.place
        with contextlib.suppress(TimeoutError):  # devices wait while the journal is full, and so do their totals
            async with asyncio.timeout(STOP_TOTALS_MAX_S):
                for device in parts.devices:
                    await device.record_totals(parts.recorder)
        try:
            async with asyncio.timeout(STOP_RECORD_MAX_S):
                await parts.recorder.record_own(place.gateway, "gateway.stop", {"reason": "signal"})
        except TimeoutError:
            log.error("gateway.stop could not be recorded in time", extra={"deadline_s": STOP_RECORD_MAX_S})  # noqa: TRY400
        await _end(uplink)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_CLOSE_MAX_S):
                await parts.recorder.close()
        connection = parts.session.connection
        if connection:
            with contextlib.suppress(TimeoutError, SessionError):
                async with asyncio.timeout(STOP_PUBLISH_MAX_S):
                    await parts.anchorer.publish_waiting(connection)
                    await parts.session.publish(self._status(GatewayState.OFFLINE, datetime.now(UTC)))


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _gap_after(path: Path) -> dict[str, Any]:
    known = last_known(path)
    return {
        "reason": "the previous journal was corrupt and is set aside; what it held without a receipt may be lost",
        "journal": known.journal,
        "batch": known.batch,
        "sequence": known.sequence,
        "readings_lost": None,
    }
