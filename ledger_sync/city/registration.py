"""The registration policy: which anchors enter the log, and why the others do not (DESIGN 8).

The checks stand in their order: what costs little and needs no trust first, then who signed, then the chain.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger_sync.proof.anchor import anchor_hash, parse_anchor
from ledger_sync.proof.cbor import INT64_MAX
from ledger_sync.proof.cose import SIGNATURE_BYTES, is_signed_by, key_id
from ledger_sync.proof.errors import ProofError, Reason
from ledger_sync.proof.receipt import RefusalReason
from ledger_sync.proof.trust import key_problem

from .outcomes import Refused, Registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from broker.topics import BatchAddress
    from ledger_sync.proof.anchor import Anchor, LedgerHead
    from ledger_sync.proof.trust import GatewayKey

    from .chains import Chain, Chains
    from .log import Log
    from .parking import Parking

ANCHOR_BYTES_MAX = 1024
"""Twice what the longest names and numbers make of an anchor."""

STRANGERS = frozenset(
    (RefusalReason.MALFORMED, RefusalReason.OTHER_CITY, RefusalReason.UNKNOWN_KEY, RefusalReason.BAD_SIGNATURE)
)
"""Reasons that anybody can cause who reaches the broker; the others need a gateway's signature."""

_KEY_REASONS = {
    Reason.KEY_REVOKED: RefusalReason.KEY_REVOKED,
    Reason.KEY_OUT_OF_RANGE: RefusalReason.KEY_OUT_OF_RANGE,
}


class _RefusalError(Exception):
    def __init__(self, reason: RefusalReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class KeyRing:
    """A city's gateway keys, found by gateway and kid."""

    def __init__(self, city: str, keys: Iterable[GatewayKey]) -> None:
        self.city = city
        self._keys: dict[tuple[str, bytes], tuple[GatewayKey, ...]] = {}
        for key in keys:
            name = (key.id, key_id(key.public_key))
            self._keys[name] = (*self._keys.get(name, ()), key)
        self._gateways = {gateway for gateway, _ in self._keys}

    def keys(self, gateway: str, kid: bytes) -> tuple[GatewayKey, ...]:
        """The keys of `gateway` with this kid (a hint: two keys may share one)."""
        return self._keys.get((gateway, kid), ())

    def __contains__(self, gateway: str) -> bool:
        return gateway in self._gateways


class Registration:
    """The registration of one group of anchors, inside a transaction of the log.

    `submit` each, then append `anchors` to the log, then `record` the rest. `outcomes` has what is to be answered:
    in the order of registration, with those that were parked until now, without those that are parked.
    """

    def __init__(self, ring: KeyRing, log: Log, chains: Chains, parking: Parking) -> None:
        self.anchors: list[bytes] = []
        self.outcomes: list[tuple[BatchAddress, Registered | Refused]] = []
        self._ring = ring
        self._log = log
        self._first = log.size
        self._head_at = functools.cache(log.head_at)
        self._chains = chains
        self._parking = parking
        self._known: dict[tuple[str, bytes], Chain] = {}
        self._batches: dict[BatchAddress, int] = {}
        self._contradictions: list[tuple[Chain, int, bytes]] = []

    def submit(self, address: BatchAddress, data: bytes) -> None:
        """Judge the anchor in `data` that came for the batch at `address`, and those that were waiting for it."""
        following: bytes | None = data
        while following is not None:
            try:
                entry = self._entry(address, following)
            except _RefusalError as refusal:
                refused = Refused(refusal.reason, str(refusal), anchor_hash(following))
                self.outcomes.append((address, refused))
                return
            if entry is None:
                self._parking.put(address, following)
                return
            self.outcomes.append((address, Registered(entry)))
            if not self._parking:
                return
            address = replace(address, batch=address.batch + 1)
            following = self._parking.take(address)

    def _entry(self, address: BatchAddress, data: bytes) -> int | None:
        """The log index of an anchor, new or old; None when it is ahead of its chain. Raises _RefusalError."""
        anchor = self._parse(address, data)
        keys = self._signing_keys(anchor)
        chain = self._chain(address)
        claims = anchor.claims
        if claims.batch <= chain.batch:
            return self._registered_entry(address, data, chain, keys)
        entry = self._first + len(self.anchors)
        _require_valid(keys, address, entry)
        if claims.batch > chain.batch + 1:
            return None
        if claims.previous != chain.anchor_hash or claims.first_sequence != chain.next_sequence:
            raise _RefusalError(RefusalReason.BROKEN_CHAIN, _broken(anchor, chain))
        if claims.ledger_seen is not None:
            self._require_own(claims.ledger_seen)
        self.anchors.append(data)
        self._batches[address] = entry
        chain.batch, chain.anchor_hash = claims.batch, anchor_hash(data)
        chain.next_sequence += claims.count
        return entry

    def _parse(self, address: BatchAddress, data: bytes) -> Anchor:
        if len(data) > ANCHOR_BYTES_MAX:
            sentence = f"the anchor has {len(data)} bytes; at most {ANCHOR_BYTES_MAX} are registered"
            raise _RefusalError(RefusalReason.MALFORMED, sentence)
        try:
            anchor = parse_anchor(data)
        except ProofError as error:
            raise _RefusalError(RefusalReason.MALFORMED, f"this is no anchor: {error}") from error
        claims = anchor.claims
        if anchor.city != self._ring.city:
            sentence = f"the anchor is of the city {anchor.city}; this ledger is that of {self._ring.city}"
            raise _RefusalError(RefusalReason.OTHER_CITY, sentence)
        if (anchor.gateway, claims.journal, claims.batch) != (address.gateway, address.journal, address.batch):
            sentence = (
                f"the anchor is of batch {claims.batch} of journal {claims.journal.hex()} of {anchor.gateway};"
                " publish it under the topic of that batch"
            )
            raise _RefusalError(RefusalReason.MALFORMED, sentence)
        if claims.first_sequence + claims.count > INT64_MAX:
            raise _RefusalError(RefusalReason.MALFORMED, "the anchor's sequences are over 63 bits")
        return anchor

    def _signing_keys(self, anchor: Anchor) -> tuple[GatewayKey, ...]:
        keys = self._ring.keys(anchor.gateway, anchor.kid)
        if not keys:
            sentence = f"no key {anchor.kid.hex()} of {anchor.gateway} is known here; add it as a [[gateway]]"
            raise _RefusalError(RefusalReason.UNKNOWN_KEY, sentence)
        envelope = anchor.envelope
        root = envelope.payload or b""
        signers = tuple(key for key in keys if is_signed_by(envelope, root, key.public_key))
        if not signers:
            sentence = f"the anchor's signature is not that of the key {anchor.kid.hex()} of {anchor.gateway}"
            raise _RefusalError(RefusalReason.BAD_SIGNATURE, sentence)
        return signers

    def _chain(self, address: BatchAddress) -> Chain:
        name = (address.gateway, address.journal)
        chain = self._known.get(name)
        if chain is None:
            chain = self._known[name] = self._chains.get(*name)
        return chain

    def _registered_entry(self, address: BatchAddress, data: bytes, chain: Chain, keys: tuple[GatewayKey, ...]) -> int:
        """The index of a batch that the log has already, if `data` is the same anchor; else it is a contradiction."""
        entry = self._batches.get(address)
        if entry is None:
            entry = self._chains.entry_of(chain, address.batch)
            registered = self._log.anchor(entry)
        else:
            registered = self.anchors[entry - self._first]
        # The signature stands last and at a fixed length: all before it is the protected header and the payload.
        if registered[:-SIGNATURE_BYTES] == data[:-SIGNATURE_BYTES]:
            _require_valid(keys, address, entry)
            return entry
        # With a key that was revoked meanwhile, a thief could make an honest gateway contradict itself.
        _require_valid(keys, address, self._first + len(self.anchors))
        self._contradictions.append((chain, address.batch, data))
        sentence = (
            f"batch {address.batch} of journal {address.journal.hex()} is registered at log entry {entry} with other"
            " content; both anchors are kept as proof"
        )
        raise _RefusalError(RefusalReason.CONTRADICTION, sentence)

    def _require_own(self, seen: LedgerHead) -> None:
        head = self._head_at(seen.tree_size) if seen.tree_size <= self._first else None
        if head is None or (head.signed.root, head.issued_at) != (seen.root, seen.issued_at):
            sentence = f"the anchor names a head of this log over {seen.tree_size} entries that was never signed"
            raise _RefusalError(RefusalReason.UNKNOWN_LEDGER_HEAD, sentence)

    def record(self, now_s: int) -> None:
        """Write what the group changed beside the log's entries; `now_s` in UTC s."""
        changed = {(address.gateway, address.journal) for address in self._batches}
        self._chains.save(self._known[name] for name in changed)
        self._chains.add_batches(
            [(self._chain(address).chain, address.batch, entry) for address, entry in self._batches.items()]
        )
        for chain, batch, anchor in self._contradictions:
            self._chains.add_contradiction(chain, batch, anchor, now_s)
        refused = [
            (address.gateway if address.gateway in self._ring else "", outcome)
            for address, outcome in self.outcomes
            if isinstance(outcome, Refused)
        ]
        self._chains.count_refusals(refused, now_s)


def _require_valid(keys: Sequence[GatewayKey], address: BatchAddress, entry: int) -> None:
    """That the key which signed counts for this batch at log index `entry`. Raises _RefusalError."""
    problem = key_problem(keys, address.journal, address.batch, entry)
    if problem is not None:
        reason, sentence = problem
        raise _RefusalError(_KEY_REASONS[reason], sentence)


def _broken(anchor: Anchor, chain: Chain) -> str:
    claims = anchor.claims
    if claims.first_sequence != chain.next_sequence:
        what = f"begins at sequence {claims.first_sequence}, and {chain.next_sequence} is next"
    else:
        what = "names another previous anchor than the registered one"
    return f"batch {claims.batch} of journal {claims.journal.hex()} {what}"
