"""The gateway's evidence on its way to the authority, one piece after the other; its copy is removed when it may go."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.evidence_topics import evidence_filter
from broker.publication import PublishRefused
from broker.topics import EVIDENCE_ANSWER, EVIDENCE_KEPT
from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.folder import KEPT, MANIFEST, add_durably, read_bounded
from devices.camera.evidence.manifest import MANIFEST_BYTES_MAX, parse_manifest
from edge.evidence.local import Inventory, LocalEvidence
from edge.evidence.messages import Offer
from edge.evidence.statement import StatementSearch
from edge.evidence.upload import Package, Receiving, Upload, UploadPausedError
from edge.journal.errors import JournalCorruptError, JournalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from broker.connection import Message
    from broker.session import Session
    from edge.config import GatewayConfig
    from edge.journal.reader import JournalReader

log = logging.getLogger("wayside.evidence")

LOOK_EVERY_S = 2.0
RETRY_FIRST_S = 5.0
RETRY_MAX_S = 300.0
REFUSED_RETRY_S = 600.0
RECEIVING_ROLE = "traffic"


def evidence_subscriptions(config: GatewayConfig) -> tuple[tuple[str, int], ...]:
    """What a gateway that uploads evidence subscribes to: (filter, QoS)."""
    if _receiving(config) is None:
        return ()
    place, rows = config.place, (EVIDENCE_ANSWER, EVIDENCE_KEPT)
    return tuple((evidence_filter(row, place.city, place.gateway), row.qos) for row in rows)


def make_uploader(
    config: GatewayConfig, session: Session, reader: JournalReader, step: Callable[[str], None]
) -> Uploader:
    """The uploader of a gateway; `reader` reads its journal for nobody else."""
    place, evidence, authority = config.place, config.evidence, _receiving(config)
    local = LocalEvidence(place.evidence_dir, evidence.delete_after_s, evidence.size_max_mb << 20)
    upload = None if authority is None else Upload(session, place.gateway, authority, evidence.upload_kb_s << 10)
    return Uploader(session, local, StatementSearch(reader, place.data_dir), upload, step)


def _receiving(config: GatewayConfig) -> Receiving | None:
    """The authority that takes evidence; None if none acknowledges what it takes: then all copies stay here."""
    for one in config.authorities:
        if one.role == RECEIVING_ROLE and one.signing_key is not None:
            return Receiving(config.place.city, one.id, one.signing_key)
    return None


@dataclass(slots=True)
class _Attempt:
    due_s: float
    delay_s: float


class Uploader:
    """Sends what waits, for ever. Without an authority that acknowledges (`upload` None) it only takes stock.

    `step` is called where a crash matters.
    """

    def __init__(
        self,
        session: Session,
        local: LocalEvidence,
        search: StatementSearch,
        upload: Upload | None,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.inventory = Inventory()
        self._session, self._local, self._search = session, local, search
        self._upload, self._step = upload, step
        self._attempts: dict[str, _Attempt] = {}
        self._lost: set[str] = set()
        self._told = ""

    async def run(self) -> None:
        """Send and remove, until cancelled. Raises JournalCorruptError."""
        try:
            await self._run()
        finally:
            self._search.stop()

    async def _run(self) -> None:
        while True:
            try:
                self.inventory = await asyncio.to_thread(self._local.take_stock)
                folder = self._next(self.inventory)
                if folder is None:
                    await asyncio.sleep(LOOK_EVERY_S)
                    continue
                await self._session.wait_connected()
                await self._send(folder)
            except JournalCorruptError:
                raise
            except (OSError, JournalError) as error:
                self._tell("evidence cannot be sent or removed now", str(error))
                await asyncio.sleep(LOOK_EVERY_S)

    def receive(self, message: Message) -> bool:
        """Take a message of the broker, if it is about evidence."""
        return self._upload is not None and self._upload.receive(message)

    def health(self) -> dict[str, Any]:
        """What health tells of evidence: what lies here, since when, and what became of the rest."""
        inventory, oldest_s = self.inventory, self.inventory.oldest_s
        counters = self._upload.counters if self._upload else None
        return {
            "pending": len(inventory.pending),
            "pending_oldest_age_s": None if oldest_s is None else max(0, round(time.time() - oldest_s)),
            "unrecorded": inventory.unrecorded,
            "refused": inventory.refused,
            "without_event": len(self._lost),
            "bytes": inventory.bytes,
            "acknowledged": counters.acknowledged if counters else 0,
            "sent_bytes": counters.sent_bytes if counters else 0,
            "authority_refusals": counters.refused if counters else 0,
            "last_refusal": counters.last_refusal if counters else "",
            "answers_ignored": counters.answers_ignored if counters else 0,
        }

    def _next(self, inventory: Inventory) -> Path | None:
        """The oldest piece that is due; what is not there any more is forgotten."""
        there = {folder.name for folder in inventory.pending}
        self._attempts = {name: one for name, one in self._attempts.items() if name in there}
        self._lost &= there
        if self._upload is None:
            return None
        now_s = time.monotonic()
        for folder in inventory.pending:
            attempt = self._attempts.get(folder.name)
            if folder.name not in self._lost and (attempt is None or attempt.due_s <= now_s):
                return folder
        return None

    async def _send(self, folder: Path) -> None:
        assert self._upload is not None, "nothing is due without an authority"
        sent_before = self._upload.counters.sent_bytes
        try:
            package = await asyncio.to_thread(self._package, folder)
            if package is None:
                self._lost.add(folder.name)
                self._tell("evidence whose event is in no journal stays here", str(folder))
                return
            acknowledgement = await self._upload.send(package)
        except OSError as error:  # this folder's: the others go on
            self._put_off(folder.name, is_refused=False)
            self._tell("evidence cannot be read and sent", str(error))
            return
        except (UploadPausedError, PublishRefused, EvidenceFormatError) as error:
            is_refused = not isinstance(error, UploadPausedError) or error.is_refused
            if self._upload.counters.sent_bytes > sent_before:
                self._attempts.pop(folder.name, None)  # it goes on, if slowly
            self._put_off(folder.name, is_refused=is_refused)
            if is_refused:
                self._tell("evidence is not taken", str(error))
            return
        self._step("upload.acknowledged")
        await asyncio.to_thread(add_durably, folder, KEPT, acknowledgement)
        self._step("upload.kept")
        self._attempts.pop(folder.name, None)
        self._told = ""

    def _package(self, folder: Path) -> Package | None:
        statement = self._search.statement_of(folder)
        if statement is None:
            return None
        raw = read_bounded(folder / MANIFEST, MANIFEST_BYTES_MAX)
        return Package(folder, Offer(statement, raw), parse_manifest(raw))

    def _put_off(self, name: str, *, is_refused: bool) -> None:
        previous = self._attempts.get(name)
        delay_s = min(2 * previous.delay_s, RETRY_MAX_S) if previous else RETRY_FIRST_S
        if is_refused:
            delay_s = REFUSED_RETRY_S
        wait_s = delay_s * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        self._attempts[name] = _Attempt(time.monotonic() + wait_s, min(delay_s, RETRY_MAX_S))

    def _tell(self, what: str, why: str) -> None:
        """Log a failure when it is another than the last."""
        if self._told != what + why:
            log.warning(what, extra={"why": why})
        self._told = what + why
