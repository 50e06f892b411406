"""The ledger as a service on the broker: anchors in, receipts out, in groups.

One task takes messages as they come; one registers what has gathered, in a thread of its own, answers, and only then
acknowledges the messages. So a crash anywhere leaves either no trace, or messages that come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from broker.publication import NotConnected, PublishRefused, PublishTimeout
from broker.session import Session
from broker.topics import ANCHOR, RECEIPT, batch_filter, batch_topic, parse_batch_topic
from ledger_sync.proof.keyfile import load_key
from ledger_sync.proof.ownership import owned

from .errors import LedgerError, StorageError
from .ledger import Ledger, Submission, no_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.connection import Message
    from ledger_sync.proof.keyfile import SecretKey

    from .ledger import Answer, GroupResult
    from .settings import LedgerSettings

GROUP_MAX = 256
"""Also the window: the broker holds back what is beyond it until a group is acknowledged."""
SESSION_EXPIRY_S = 14 * 24 * 3600
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
PUBLISH_AGAIN_S = 0.1
STOP_DEADLINE_S = 3.0

log = logging.getLogger("wayside.ledger")


async def serve(settings: LedgerSettings, stop: asyncio.Event, *, step: Callable[[str], None] = no_step) -> None:
    """Run the ledger until `stop` is set; then the group in hand is finished first.

    `step` is called at each point where a crash matters (fault tests pass one). Raises KeyFileError, OwnedError,
    StorageError and LogError when it cannot start, and LogError later on.
    """
    key = load_key(settings.key_path)
    with (
        owned(settings.data_dir / "ledger.lock", "wayside ledger run"),
        ThreadPoolExecutor(1, thread_name_prefix="ledger-writer") as writer,
    ):
        service = _Service(settings, key, stop, writer, step)
        await service.run()


class _Service:
    def __init__(
        self,
        settings: LedgerSettings,
        key: SecretKey,
        stop: asyncio.Event,
        writer: ThreadPoolExecutor,
        step: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._key = key
        self._stop = stop
        self._writer = writer
        self._step = step
        self._ledger: Ledger | None = None
        self._arrived: asyncio.Queue[tuple[Message, Submission]] = asyncio.Queue(GROUP_MAX)
        self._told_refused = False
        self._session = Session(
            settings.broker.url,
            settings.id,
            subscriptions=((batch_filter(ANCHOR, settings.city), ANCHOR.qos),),
            clean_start=False,
            session_expiry_s=SESSION_EXPIRY_S,
            window=GROUP_MAX,
        )

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writer, self._open)
            async with asyncio.TaskGroup() as tasks:
                connection = tasks.create_task(self._session.run(), name="ledger-session")
                intake = tasks.create_task(self._take_messages(), name="ledger-intake")
                registering = tasks.create_task(self._register_groups(), name="ledger-register")
                await self._stop.wait()
                intake.cancel()
                await asyncio.wait((registering,), timeout=STOP_DEADLINE_S)
                registering.cancel()
                connection.cancel()
        except* LedgerError as errors:
            # The caller acts on the type; a group would hide it.
            raise errors.exceptions[0] from None
        finally:
            await loop.run_in_executor(self._writer, self._close)

    def _open(self) -> None:
        self._ledger = Ledger(self._settings, self._key, self._step)

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    async def _take_messages(self) -> None:
        async for message in self._session.messages():
            address = parse_batch_topic(ANCHOR, self._settings.city, message.topic)
            if address is None:
                # No gateway of ours publishes there, and there is no topic to answer to.
                message.acknowledge()
                continue
            await self._arrived.put((message, Submission(address, message.payload)))

    async def _register_groups(self) -> None:
        while (group := await self._next_group()) is not None:
            begin_s = time.monotonic()
            result = await self._registered([submission for _, submission in group])
            if result is None:
                return
            await asyncio.gather(*map(self._publish, result.answers))
            self._step("ledger.after-publish")
            for message, _ in group:
                message.acknowledge()
            _log_group(result, len(group), time.monotonic() - begin_s)

    async def _next_group(self) -> list[tuple[Message, Submission]] | None:
        """What has arrived, waiting for the first; None when the service is to stop."""
        first = asyncio.ensure_future(self._arrived.get())
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((first, stopping), return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                return None
            group = [first.result()]
        finally:
            first.cancel()
            stopping.cancel()
        while len(group) < GROUP_MAX and not self._arrived.empty():
            group.append(self._arrived.get_nowait())
        return group

    async def _registered(self, group: Sequence[Submission]) -> GroupResult | None:
        """Register a group; on a disk that refuses, again and again until the service is to stop (then None)."""
        loop = asyncio.get_running_loop()
        delay_s, failed = RETRY_FIRST_S, False
        while True:
            try:
                result = await loop.run_in_executor(self._writer, self._register, group)
            except StorageError as error:
                if not failed:
                    log.error("nothing can be registered: %s", error)  # noqa: TRY400 - the sentence is all there is
                failed = True
            else:
                if failed:
                    log.info("anchors are registered again")
                return result
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stop.wait()
            if self._stop.is_set():
                return None
            delay_s = min(2 * delay_s, RETRY_MAX_S)

    def _register(self, group: Sequence[Submission]) -> GroupResult:
        """In the writer's thread. After a failure only a fresh reading tells whether the group was committed."""
        if self._ledger is None:
            self._open()
        assert self._ledger is not None
        try:
            return self._ledger.register(group)
        except StorageError:
            self._close()
            raise

    async def _publish(self, answer: Answer) -> None:
        """Publish an answer, on whichever connection will take it.

        A message may arrive before its connection counts as made, and the broker delivers it on that connection only
        once: so an answer waits for the connection, and is not given up with one.
        """
        topic = batch_topic(RECEIPT, self._settings.city, answer.address)
        while True:
            await self._session.wait_connected()
            try:
                await self._session.publish(RECEIPT.publication(topic, answer.payload))
            except (NotConnected, PublishTimeout):
                await asyncio.sleep(PUBLISH_AGAIN_S)
            except PublishRefused as error:
                # The anchor counts as handled: holding it back would hold back every other gateway's.
                if not self._told_refused:
                    log.error("receipts do not go out: %s", error)  # noqa: TRY400 - the sentence is all there is
                self._told_refused = True
                return
            else:
                self._told_refused = False
                return


def _log_group(result: GroupResult, anchors: int, elapsed_s: float) -> None:
    log.info(
        "group anchors=%d registered=%d repeated=%d refused=%d parked=%d tree_size=%d root=%s elapsed_ms=%.1f",
        anchors,
        result.registered,
        result.repeated,
        result.refused,
        result.parked,
        result.head.tree_size if result.head else 0,
        result.head.signed.root.hex() if result.head else "-",
        1000 * elapsed_s,
    )
