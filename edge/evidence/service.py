"""`wayside authority run`: takes evidence from gateways over the broker, and keeps it sealed.

One task takes messages as they come and hands each to the receiver, in a thread of its own; then it publishes what the
receiver answers. Nothing is held back for a broker or a gateway that is away: the gateway offers again.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from broker.evidence_topics import EvidenceAddress, evidence_filter, evidence_topic, parse_evidence_topic
from broker.publication import SessionError
from broker.session import Session
from broker.topics import EVIDENCE_CHUNK, EVIDENCE_OFFER
from devices.camera.evidence.sealed import sealing_kid
from edge.authority import load_authority_key
from edge.evidence.receiving import Receiver
from edge.evidence.shelf import Shelf
from ledger_sync.proof.keyfile import load_key
from ledger_sync.proof.ownership import owned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from broker.connection import Message
    from edge.authority import AuthoritySettings
    from edge.evidence.receiving import Reply

log = logging.getLogger("wayside.authority")

_MIB = 1 << 20
STOP_DEADLINE_S = 3.0


async def serve(
    settings: AuthoritySettings, stop: asyncio.Event, *, step: Callable[[str], None] = lambda _: None
) -> None:
    """Take evidence until `stop` is set; the message in hand is finished first.

    `step` is called at each point where a crash matters (fault tests pass one). Raises KeyFileError, OwnedError and
    OSError before anything runs.
    """
    key = load_key(settings.signing_key_path)
    # The key that opens may be kept elsewhere: this process has no need of it, and only compares its name.
    opening = settings.key_path
    opening_kid = sealing_kid(bytes(load_authority_key(opening).public_key)) if opening.exists() else None
    with (
        owned(settings.data_dir / "authority.lock", "wayside authority run"),
        ThreadPoolExecutor(1, thread_name_prefix="authority-shelf") as shelf_thread,
    ):
        shelf = await asyncio.get_running_loop().run_in_executor(
            shelf_thread, Shelf, settings.data_dir, settings.size_max_mb * _MIB, step
        )
        receiver = Receiver(settings, shelf, key, opening_kid, step)
        log.info("authority keeps evidence", extra={"bytes": shelf.kept_bytes, "half_received": len(shelf.incoming)})
        await _Service(settings, receiver, shelf_thread).run(stop)


class _Service:
    def __init__(self, settings: AuthoritySettings, receiver: Receiver, shelf_thread: ThreadPoolExecutor) -> None:
        self._city = settings.city
        self._receiver = receiver
        self._shelf_thread = shelf_thread
        self._told_refused = False
        self._session = Session(
            settings.broker.url,
            settings.id,
            subscriptions=[(evidence_filter(row, settings.city), row.qos) for row in (EVIDENCE_OFFER, EVIDENCE_CHUNK)],
            clean_start=True,
            session_expiry_s=0,
        )

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            connection = tasks.create_task(self._session.run(), name="authority-session")
            intake = tasks.create_task(self._take_messages(stop), name="authority-intake")
            await stop.wait()
            await asyncio.wait((intake,), timeout=STOP_DEADLINE_S)
            intake.cancel()
            connection.cancel()

    async def _take_messages(self, stop: asyncio.Event) -> None:
        messages = self._session.messages()
        while (message := await _next_message(messages, stop)) is not None:
            for reply in await self._take(message):
                await self._publish(reply)
            message.acknowledge()

    async def _take(self, message: Message) -> list[Reply]:
        take: Callable[[EvidenceAddress, bytes], list[Reply]]
        for row, take in ((EVIDENCE_OFFER, self._receiver.take_offer), (EVIDENCE_CHUNK, self._receiver.take_chunk)):
            address = parse_evidence_topic(row, self._city, message.topic)
            if address is not None:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._shelf_thread, take, address, message.payload)
        return []

    async def _publish(self, reply: Reply) -> None:
        topic = evidence_topic(reply.row, self._city, EvidenceAddress(reply.gateway, reply.evidence))
        try:
            await self._session.publish(reply.row.publication(topic, reply.payload))
        except SessionError as error:
            if not self._told_refused:
                log.warning("an answer does not go out; the gateway will ask again: %s", error)
            self._told_refused = True
        else:
            self._told_refused = False


async def _next_message(messages: AsyncIterator[Message], stop: asyncio.Event) -> Message | None:
    """The next message; None when the service is to stop."""
    coming = asyncio.ensure_future(anext(messages))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((coming, stopping), return_when=asyncio.FIRST_COMPLETED)
        return None if stop.is_set() else coming.result()
    finally:
        coming.cancel()
        stopping.cancel()
