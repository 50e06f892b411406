"""The city ledger: what an anchor costs it beside its signature check, and how that cost grows with the log.

Each function returns {name of DESIGN 12: value}. CPU time of the process, both sides of a ratio interleaved.
"""

from __future__ import annotations

import functools
import gc
import os
import statistics
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign_open

from broker.topics import BatchAddress
from broker.url import BrokerSettings, BrokerUrl
from ledger_sync.city.chains import Chain, Chains
from ledger_sync.city.ledger import Ledger, Submission
from ledger_sync.city.log import SHARD, Head, Log
from ledger_sync.city.receipts import group_receipts
from ledger_sync.city.settings import LedgerSettings
from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash, make_anchor
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.receipt import sign_root
from ledger_sync.proof.trust import GatewayKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CITY = "example.org"
GROUP = 256
GATEWAYS = 64
FILL_GROUP = 4096
ANCHOR_BYTES = 330


class City:
    """Gateways that seal batches one after another, and the settings of their ledger."""

    def __init__(self, directory: Path) -> None:
        names = [f"gw-{number}" for number in range(GATEWAYS)]
        self.keys = [SecretKey(sha256(name.encode()).digest()) for name in names]
        registered = tuple(GatewayKey(name, key.public_key) for name, key in zip(names, self.keys, strict=True))
        broker = BrokerSettings(BrokerUrl("127.0.0.1", 1883))
        self.settings = LedgerSettings(CITY, "ledger-1", directory, broker, registered)
        self.seen: LedgerHead | None = None
        self._previous: list[bytes | None] = [None] * GATEWAYS
        self._count = 0

    def open_ledger(self) -> Ledger:
        return Ledger(self.settings, SecretKey(sha256(b"ledger-1").digest()))

    def group(self) -> list[Submission]:
        """The next anchors of the city, its gateways taking turns."""
        return [self._next() for _ in range(GROUP)]

    def _next(self) -> Submission:
        turn, number = divmod(self._count, GATEWAYS)
        self._count += 1
        key, gateway, journal = self.keys[number], f"gw-{number}", number.to_bytes(16, "big")
        claims = AnchorClaims(
            issuer=f"{CITY}/{gateway}",
            issued_at=1_800_000_000 + turn,
            journal=journal,
            batch=turn + 1,
            previous=self._previous[number],
            count=10_000,
            first_sequence=10_000 * turn + 1,
            time_min_us=1_800_000_000_000_000 + turn * 60_000_000,
            time_max_us=1_800_000_000_000_000 + turn * 60_000_000 + 59_999_999,
            gaps=0,
            ledger_seen=self.seen,
        )
        root = sha256(turn.to_bytes(8, "big") + journal).digest()
        anchor = make_anchor(claims, root, key.kid, key.sign)
        self._previous[number] = anchor_hash(anchor)
        return Submission(BatchAddress(gateway, journal, turn + 1), anchor)


def _cpu_s(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _register(ledger: Ledger, group: Sequence[Submission]) -> LedgerHead:
    result = ledger.register(group)
    assert (result.registered, len(result.answers)) == (len(group), len(group)), "the bench measures refusals"
    assert result.head is not None
    return LedgerHead(result.head.tree_size, result.head.signed.root, result.head.issued_at)


def measure_registration(rounds: int = 48) -> dict[str, float]:
    """`ledger_anchors_vs_raw_verify`: anchors verified, logged and receipted over `crypto_sign_open` of the same."""
    key = SecretKey(sha256(b"raw").digest())
    ours, raw = [], []
    with tempfile.TemporaryDirectory() as directory:
        city = City(Path(directory))
        ledger = city.open_ledger()
        for _ in range(rounds):
            group = city.group()
            messages = [key.sign(one.anchor[:-64]) + one.anchor[:-64] for one in group]

            def verify(messages: Sequence[bytes] = messages) -> None:
                for message in messages:
                    crypto_sign_open(message, key.public_key)

            def register(group: Sequence[Submission] = group) -> None:
                city.seen = _register(ledger, group)

            raw.append(_cpu_s(verify))
            ours.append(_cpu_s(register))
        ledger.close()
    # Of pairs: another process that comes and goes slows both sides of one.
    return {"ledger_anchors_vs_raw_verify": statistics.median(one / own for one, own in zip(raw, ours, strict=True))}


class GrowingLog:
    """A log that is written to as a registration writes, without the cost of the checks before it."""

    def __init__(self, path: Path, gateways: int = GATEWAYS) -> None:
        self.log = Log(path)
        self._key = SecretKey(sha256(b"ledger-1").digest())
        self._chains = Chains(self.log.connection)
        self._states = [Chain(f"gw-{number}", number.to_bytes(16, "big")) for number in range(gateways)]

    def append(self, anchors: Sequence[bytes]) -> None:
        """One group: entries, head, receipts, chains and batches, in one transaction."""
        log, states = self.log, self._states
        placed = [(states[entry % len(states)], entry) for entry in range(log.size, log.size + len(anchors))]
        with log.transaction():
            growth = log.append(anchors)
            signed = sign_root(CITY, "ledger-1", SHARD, growth.size, 1, growth.root, self._key.kid, self._key.sign)
            log.add_head(Head(growth.size, 1, signed))
            group_receipts(signed, growth)
            batches = []
            for chain, entry in placed:
                chain.batch += 1
                chain.anchor_hash = anchors[0][:32]
                batches.append((chain, chain.batch, entry))
            self._chains.save({id(chain): chain for chain, _ in placed}.values())
            self._chains.add_batches([(chain.chain, batch, entry) for chain, batch, entry in batches])

    def fill(self, size: int) -> None:
        while self.log.size < size:
            self.append(_anchors(min(FILL_GROUP, size - self.log.size)))


def _anchors(count: int) -> list[bytes]:
    return [os.urandom(ANCHOR_BYTES) for _ in range(count)]


def measure_append_flatness(small: int = 10_000, large: int = 1_000_000, rounds: int = 240) -> dict[str, float]:
    """`ledger_append_flatness`: what an append of a group costs at `large` entries over what it costs at `small`."""
    costs: dict[int, list[float]] = {small: [], large: []}
    with tempfile.TemporaryDirectory() as directory:
        logs = {size: GrowingLog(Path(directory) / f"{size}.sqlite") for size in costs}
        for size, log in logs.items():
            log.fill(size)
        for _ in range(rounds):
            group = _anchors(GROUP)
            for size, log in logs.items():
                costs[size].append(_cpu_s(functools.partial(log.append, group)))
        for log in logs.values():
            log.log.close()
    # The mean: a checkpoint of the write-ahead log falls into one round of several, and is part of the cost.
    return {"ledger_append_flatness": statistics.mean(costs[large]) / statistics.mean(costs[small])}
