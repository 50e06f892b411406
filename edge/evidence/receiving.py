"""What may enter an authority's shelf: offers and chunks in, answers out. No network; blocking.

The broker is not trusted: an offer must be signed by a gateway of the configuration and sign the manifest; a chunk must
be the next one of what was offered, and all together must be what the manifest says, to the byte.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from broker.topics import EVIDENCE_ANSWER, EVIDENCE_KEPT
from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.manifest import parse_manifest
from devices.camera.evidence.sealed import HEADER_BYTES_MAX, MAGIC, parse_sealed
from edge.evidence.messages import CHUNK_BYTES_MAX, Answer, Offer, Refusal, parse_offer
from edge.evidence.shelf import ShelfBusyError, ShelfFullError
from ledger_sync.proof.cose import is_signed_by, key_id, parse
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.kept import make_kept
from ledger_sync.proof.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.evidence_topics import EvidenceAddress
    from broker.topics import Topic
    from devices.camera.evidence.manifest import Manifest
    from edge.authority import AuthoritySettings
    from edge.evidence.shelf import Incoming, Shelf
    from ledger_sync.proof.event import Event
    from ledger_sync.proof.keyfile import SecretKey

log = logging.getLogger("wayside.authority")

ANSWER_EVERY_CHUNKS = 4
"""A gateway sends twice as many beyond what it knows to have arrived."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be published, about which evidence."""

    row: Topic
    gateway: str
    evidence: str
    payload: bytes


class _RefusalError(Exception):
    def __init__(self, refusal: Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal


class Receiver:
    """Judges what comes for one shelf. `opening_kid`: that of the key that is to open it, where it is on this machine.

    `counts` has how often what happened: `kept`, `repeated`, `strange` (chunks that nobody asked for), `altered`, and
    each refusal by its name.
    """

    def __init__(
        self,
        settings: AuthoritySettings,
        shelf: Shelf,
        key: SecretKey,
        opening_kid: bytes | None,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._settings, self._shelf, self._key = settings, shelf, key
        self._opening_kid, self._step = opening_kid, step

    def take_offer(self, address: EvidenceAddress, payload: bytes) -> list[Reply]:
        """The answer to an offer."""
        digest = bytes(HASH_BYTES)
        try:
            offer = parse_offer(payload)
            digest = sha256(offer.manifest).digest()
            manifest = self._check(address, offer)
            return self._take(address, offer, manifest)
        except (_RefusalError, ProofError, EvidenceFormatError, ShelfBusyError, ShelfFullError, OSError) as error:
            return [self._refuse(address, digest, _refusal_of(error), str(error))]

    def take_chunk(self, address: EvidenceAddress, payload: bytes) -> list[Reply]:
        """The answer to a chunk, if there is one: every so often, and whenever an object or the set is complete."""
        incoming = self._shelf.incoming.get((address.gateway, address.evidence))
        if incoming is None or not self._is_next(incoming, address, payload):
            # Sent twice, or on its way when this process began: the gateway offers again, and is told what is missing.
            self.counts["strange"] += 1
            return []
        digest = sha256(incoming.offer.manifest).digest()
        try:
            self._shelf.append(incoming, address.object, payload)
            if incoming.is_complete:
                return self._complete(address, incoming)
        except OSError as error:
            # The gateway stops sending, and offers again later; what was received before stays.
            return [self._refuse(address, digest, Refusal.DISK, str(error))]
        if incoming.unanswered == ANSWER_EVERY_CHUNKS or _is_whole(incoming, address.object):
            return [self._progress(address, incoming)]
        return []

    def _check(self, address: EvidenceAddress, offer: Offer) -> Manifest:
        """The manifest of an offer that its gateway has signed."""
        event = parse_event(offer.statement)
        if (event.city, event.gateway) != (self._settings.city, address.gateway):
            raise _RefusalError(Refusal.MALFORMED, "the statement is another gateway's")
        self._check_signature(event, offer.statement)
        manifest = parse_manifest(offer.manifest)
        if manifest.id.hex() != address.evidence or sha256(offer.manifest).digest() not in event.evidence:
            raise _RefusalError(Refusal.OTHER_EVIDENCE, "the statement does not sign this manifest")
        return manifest

    def _check_signature(self, event: Event, statement: bytes) -> None:
        # Whether a key was revoked is a matter of the place in the ledger's log, which a statement alone does not have:
        # `wayside evidence open --trust` judges that.
        keys = {one.public_key for one in self._settings.gateway if one.id == event.gateway}
        keys = {one for one in keys if key_id(one) == event.kid}
        if not keys:
            raise _RefusalError(Refusal.UNKNOWN_KEY, f"the key {event.kid.hex()} is no [[gateway]]'s of this name")
        envelope = parse(statement)
        if not any(is_signed_by(envelope, envelope.payload or b"", one) for one in keys):
            raise _RefusalError(Refusal.BAD_SIGNATURE, "the statement's signature is not the gateway's")

    def _take(self, address: EvidenceAddress, offer: Offer, manifest: Manifest) -> list[Reply]:
        there = self._shelf.acknowledgement(address.gateway, address.evidence)
        if there is not None:
            kept, acknowledgement = there
            if kept != offer:
                raise _RefusalError(Refusal.CONTRADICTION, "other evidence is kept under this id")
            self.counts["repeated"] += 1
            return [Reply(EVIDENCE_KEPT, address.gateway, address.evidence, acknowledgement)]
        incoming = self._shelf.incoming.get((address.gateway, address.evidence))
        if incoming is not None and incoming.offer != offer:
            self._shelf.give_up(incoming)
            incoming = None
        if incoming is None:
            incoming = self._shelf.begin(address.gateway, offer, manifest)
        if incoming.is_complete:  # it was when this process was killed
            return self._complete(address, incoming)
        return [self._progress(address, incoming)]

    def _is_next(self, incoming: Incoming, address: EvidenceAddress, payload: bytes) -> bool:
        there = incoming.received.get(address.object)
        sizes = {one.name: one.sealed_bytes for one in incoming.manifest.objects}
        return (
            there == address.offset
            and 0 < len(payload) <= CHUNK_BYTES_MAX
            and address.offset + len(payload) <= sizes[address.object]
        )

    def _complete(self, address: EvidenceAddress, incoming: Incoming) -> list[Reply]:
        """Keep a set of which everything is there; or ask again for what is not what was signed."""
        altered = self._shelf.altered(incoming)
        if altered:
            self.counts["altered"] += len(altered)
            return [self._progress(address, incoming)]
        digest = sha256(incoming.offer.manifest).digest()
        if problem := self._sealing_problem(incoming):
            self._shelf.give_up(incoming)
            return [self._refuse(address, digest, Refusal.NOT_OPENABLE, problem)]
        offer, now_s = incoming.offer, int(time.time())
        kept = make_kept(self._settings.city, self._settings.id, now_s, offer.statement, offer.manifest, self._key)
        self._shelf.keep(incoming, kept)
        self.counts["kept"] += 1
        facts = {"gateway": address.gateway, "evidence": address.evidence, "bytes": incoming.manifest.sealed_bytes}
        log.info("evidence is kept", extra=facts)
        self._step("receiver.kept")
        return [Reply(EVIDENCE_KEPT, address.gateway, address.evidence, kept)]

    def _sealing_problem(self, incoming: Incoming) -> str:
        """Why this authority could never have its part in opening the set: the gateway must not delete its copy."""
        for one in incoming.manifest.objects:
            with (incoming.folder / one.file_name).open("rb") as file:
                head = file.read(len(MAGIC) + 2 + HEADER_BYTES_MAX + 64)
            try:
                sealed = parse_sealed(head)
            except EvidenceFormatError as error:
                return str(error)
            kids = [share.kid for share in sealed.shares if share.role == self._settings.role]
            if (sealed.name, sealed.roles) != (one.name, one.roles) or not kids:
                return f"the object {one.name!r} is not sealed as its manifest says, or not to {self._settings.role!r}"
            if self._opening_kid not in (None, *kids):
                return f"the object {one.name!r} is sealed to another key of {self._settings.role!r} than this one's"
        return ""

    def _progress(self, address: EvidenceAddress, incoming: Incoming) -> Reply:
        incoming.unanswered = 0
        answer = Answer(sha256(incoming.offer.manifest).digest(), incoming.received)
        return Reply(EVIDENCE_ANSWER, address.gateway, address.evidence, answer.encode())

    def _refuse(self, address: EvidenceAddress, digest: bytes, refusal: Refusal, why: str) -> Reply:
        if not self.counts[refusal.value]:
            log.error("evidence is refused", extra={"gateway": address.gateway, "reason": refusal.value, "why": why})
        self.counts[refusal.value] += 1
        answer = Answer(digest, refusal=refusal)
        return Reply(EVIDENCE_ANSWER, address.gateway, address.evidence, answer.encode())


def _is_whole(incoming: Incoming, name: str) -> bool:
    return any(one.name == name and one.sealed_bytes == incoming.received[name] for one in incoming.manifest.objects)


def _refusal_of(error: Exception) -> Refusal:
    match error:
        case _RefusalError():
            return error.refusal
        case ShelfBusyError():
            return Refusal.BUSY
        case ShelfFullError():
            return Refusal.FULL
        case OSError():
            return Refusal.DISK
    return Refusal.MALFORMED
