"""The upload of one piece of evidence: offered, sent as the authority asks for it, until its acknowledgement is there.

At most `WINDOW_CHUNKS` are on their way that the authority has not told to have, so that no broker has to store a
picture for an authority that is away; and one at a time is on its way to the broker, at a bounded rate, so that an
anchor waits for a chunk at the most.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from broker.connection import PACKET_TOO_LARGE
from broker.evidence_topics import EvidenceAddress, evidence_topic, parse_evidence_topic
from broker.publication import PublishRefused, SessionError
from broker.topics import EVIDENCE_ANSWER, EVIDENCE_CHUNK, EVIDENCE_KEPT, EVIDENCE_OFFER
from edge.evidence.messages import CHUNK_BYTES_MAX, Answer, Offer, parse_answer
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.kept import Kept, is_kept_by, parse_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.connection import Message
    from broker.publication import Publication
    from broker.session import Session
    from devices.camera.evidence.manifest import Manifest, ManifestObject

WINDOW_CHUNKS = 8
ANSWER_MAX_S = 10.0
CHUNK_BYTES_MIN = 1024
_ANSWERS_MAX = 16


class UploadPausedError(Exception):
    """The evidence is not kept yet; it is offered again later. `is_refused`: the authority says why it takes none."""

    def __init__(self, sentence: str, *, is_refused: bool = False) -> None:
        super().__init__(sentence)
        self.is_refused = is_refused


@dataclass(frozen=True, slots=True)
class Receiving:
    """The authority that keeps evidence: its id, and the Ed25519 key of its acknowledgements (32 bytes)."""

    city: str
    id: str
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """A piece of evidence to be sent."""

    folder: Path
    offer: Offer
    manifest: Manifest

    @property
    def id(self) -> str:
        """The evidence's id in hexadecimal digits."""
        return self.manifest.id.hex()


@dataclass(slots=True)
class UploadCounters:
    """What the uploader has seen since the start; read by health."""

    acknowledged: int = 0
    sent_bytes: int = 0
    refused: int = 0
    answers_ignored: int = 0
    last_refusal: str = ""


@dataclass(slots=True)
class _Sending:
    """One exchange: what the authority may say of it, and how far each object was sent and told to be there."""

    package: Package
    answers: asyncio.Queue[Answer | bytes] = field(default_factory=lambda: asyncio.Queue(_ANSWERS_MAX))
    sent: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    def take(self, answer: Answer) -> None:
        """Take note of what the authority has. What it says first is where sending begins."""
        received = answer.received or {}
        self.told = {
            one.name: min(received.get(one.name, 0), one.sealed_bytes) for one in self.package.manifest.objects
        }
        self.sent = self.sent or dict(self.told)

    @property
    def unanswered_bytes(self) -> int:
        """Sent, but not told to be there."""
        return sum(max(0, sent - self.told[name]) for name, sent in self.sent.items())

    def unsent(self) -> Iterator[ManifestObject]:
        """The objects of which not all was sent."""
        return (one for one in self.package.manifest.objects if self.sent[one.name] < one.sealed_bytes)


class Upload:
    """Sends evidence, one piece at a time. `receive` takes what the authority says."""

    def __init__(self, session: Session, gateway: str, authority: Receiving, bytes_per_s: int) -> None:
        self.counters = UploadCounters()
        self._session, self._gateway, self._authority = session, gateway, authority
        self._bytes_per_s = bytes_per_s
        self._chunk_bytes = CHUNK_BYTES_MAX
        self._next_s = 0.0
        self._sending: _Sending | None = None

    async def send(self, package: Package) -> bytes:
        """The authority's acknowledgement, verified. Raises UploadPausedError and OSError."""
        self._sending = sending = _Sending(package)
        try:
            await self._publish(EVIDENCE_OFFER.publication(self._topic_of_offer(package), package.offer.encode()))
            while True:
                answer = await self._answer(sending)
                if isinstance(answer, bytes):
                    self.counters.acknowledged += 1
                    return answer
                if answer.refusal:
                    self.counters.refused += 1
                    self.counters.last_refusal = answer.refusal.value
                    raise UploadPausedError(f"the authority takes none ({answer.refusal.value})", is_refused=True)
                sending.take(answer)
                await self._send_window(sending)
        finally:
            self._sending = None

    async def _answer(self, sending: _Sending) -> Answer | bytes:
        """The newest that the authority says; an acknowledgement before anything else."""
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                answer = await sending.answers.get()
        except TimeoutError as error:
            raise UploadPausedError(f"the authority does not answer within {ANSWER_MAX_S:g} s") from error
        while not isinstance(answer, bytes) and not sending.answers.empty():
            answer = sending.answers.get_nowait()
        return answer

    async def _send_window(self, sending: _Sending) -> None:
        for one in sending.unsent():
            path = sending.package.folder / one.file_name
            while sending.sent[one.name] < one.sealed_bytes:
                if sending.unanswered_bytes >= WINDOW_CHUNKS * self._chunk_bytes:
                    return
                offset = sending.sent[one.name]
                content = await asyncio.to_thread(_read, path, offset, self._chunk_bytes)
                if not content:
                    raise UploadPausedError(f"{path}: is shorter than its manifest says; look at the disk")
                await self._send_chunk(sending, one.name, offset, content)

    async def _send_chunk(self, sending: _Sending, name: str, offset: int, content: bytes) -> None:
        await asyncio.sleep(max(0.0, self._next_s - time.monotonic()))
        address = EvidenceAddress(self._gateway, sending.package.id, name, offset)
        topic = evidence_topic(EVIDENCE_CHUNK, self._authority.city, address)
        try:
            await self._publish(EVIDENCE_CHUNK.publication(topic, content))
        except PublishRefused as error:
            if error.code != PACKET_TOO_LARGE or self._chunk_bytes == CHUNK_BYTES_MIN:
                raise UploadPausedError(str(error), is_refused=True) from error
            # Said by our own session, by the Maximum Packet Size of the broker's CONNACK: nothing was sent.
            self._chunk_bytes //= 2
            return
        sending.sent[name] = offset + len(content)
        self.counters.sent_bytes += len(content)
        self._next_s = max(self._next_s, time.monotonic() - 1.0) + len(content) / self._bytes_per_s

    async def _publish(self, publication: Publication) -> None:
        try:
            await self._session.publish(publication)
        except PublishRefused:
            raise
        except SessionError as error:
            raise UploadPausedError(str(error)) from error

    def _topic_of_offer(self, package: Package) -> str:
        return evidence_topic(EVIDENCE_OFFER, self._authority.city, EvidenceAddress(self._gateway, package.id))

    def receive(self, message: Message) -> bool:
        """Take a message, if it is about evidence. It is acknowledged: whatever is lost is asked for again."""
        for row in (EVIDENCE_ANSWER, EVIDENCE_KEPT):
            address = parse_evidence_topic(row, self._authority.city, message.topic)
            if address is not None:
                try:
                    self._take(address, message.payload, is_signed=row is EVIDENCE_KEPT)
                except ProofError:
                    self.counters.answers_ignored += 1
                message.acknowledge()
                return True
        return False

    def _take(self, address: EvidenceAddress, payload: bytes, *, is_signed: bool) -> None:
        sending = self._sending
        if sending is None or address != (self._gateway, sending.package.id, "", 0) or sending.answers.full():
            return  # of an exchange that is over
        offer = sending.package.offer
        if is_signed:
            self._check(parse_kept(payload), offer)
            sending.answers.put_nowait(payload)
            return
        answer = parse_answer(payload)
        if answer.manifest_sha256 != sha256(offer.manifest).digest():
            raise ProofError("the answer is about another manifest")
        sending.answers.put_nowait(answer)

    def _check(self, kept: Kept, offer: Offer) -> None:
        by = self._authority
        if not is_kept_by(kept, offer.statement, offer.manifest, by.city, by.id, by.signing_key):
            raise ProofError("the acknowledgement is not the authority's, or is about something else")


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
