"""The city ledger: what an anchor costs it beside its signature check, and how that cost grows with the log.

Each function returns {name of DESIGN 12: value}. CPU time of the process, both sides of a ratio interleaved.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign, crypto_sign_open

from broker.topics import BatchAddress
from broker.url import BrokerUrl
from ledger_sync.city.ledger import Ledger, Submission
from ledger_sync.city.settings import BrokerSettings, LedgerSettings
from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash, make_anchor
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.trust import GatewayKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CITY = "example.org"
GROUP = 256
GATEWAYS = 64


class City:
    """Gateways that seal batches one after another, and the settings of their ledger."""

    def __init__(self, directory: Path, gateways: int = GATEWAYS) -> None:
        names = [f"gw-{number}" for number in range(gateways)]
        self.keys = [SecretKey(sha256(name.encode()).digest()) for name in names]
        self.ledger_key = SecretKey(sha256(b"ledger-1").digest())
        registered = tuple(GatewayKey(name, key.public_key) for name, key in zip(names, self.keys, strict=True))
        broker = BrokerSettings(BrokerUrl("127.0.0.1", 1883))
        self.settings = LedgerSettings(CITY, "ledger-1", directory, broker, registered)
        self.seen: LedgerHead | None = None
        self._previous: list[bytes | None] = [None] * gateways
        self._count = 0

    def open_ledger(self) -> Ledger:
        return Ledger(self.settings, self.ledger_key)

    def group(self, size: int = GROUP, sign: Callable[[SecretKey, bytes], bytes] = SecretKey.sign) -> list[Submission]:
        """The next anchors of the city, its gateways taking turns."""
        return [self._next(sign) for _ in range(size)]

    def _next(self, sign: Callable[[SecretKey, bytes], bytes]) -> Submission:
        turn, number = divmod(self._count, len(self.keys))
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
        anchor = make_anchor(claims, root, key.kid, lambda message: sign(key, message))
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


def measure_registration(rounds: int = 24) -> dict[str, float]:
    """`ledger_anchors_vs_raw_verify`: anchors verified, logged and receipted over `crypto_sign_open` of the same."""
    key = SecretKey(sha256(b"raw").digest())
    seed_pair = sha256(b"raw").digest() + key.public_key
    ours, raw = [], []
    with tempfile.TemporaryDirectory() as directory:
        city = City(Path(directory))
        ledger = city.open_ledger()
        for number in range(rounds):
            group = city.group()
            messages = [crypto_sign(one.anchor[:-64], seed_pair) for one in group]

            def verify(messages: Sequence[bytes] = messages) -> None:
                for message in messages:
                    crypto_sign_open(message, key.public_key)

            def register(group: Sequence[Submission] = group) -> None:
                city.seen = _register(ledger, group)

            pair = [_cpu_s(verify), _cpu_s(register)] if number % 2 else [_cpu_s(register), _cpu_s(verify)][::-1]
            raw.append(pair[0])
            ours.append(pair[1])
        ledger.close()
    return {"ledger_anchors_vs_raw_verify": statistics.median(raw) / statistics.median(ours)}


def measure_append_flatness(small: int = 10_000, large: int = 1_000_000, rounds: int = 40) -> dict[str, float]:
    """`ledger_append_flatness`: what an append of a group costs at `large` entries over what it costs at `small`."""
    from ledger_sync.city import registration  # noqa: PLC0415 - replaced below, for this measurement only

    verified = registration.is_signed_by
    costs: dict[int, list[float]] = {small: [], large: []}
    with tempfile.TemporaryDirectory(dir=os.environ.get("WAYSIDE_BENCH_DIR")) as directory:
        registration.is_signed_by = lambda *_: True
        try:
            pairs = {}
            for size in (small, large):
                place = Path(directory) / str(size)
                place.mkdir()
                city = City(place)
                ledger = city.open_ledger()
                for begin in range(0, size, 4096):
                    _register(ledger, city.group(min(4096, size - begin), lambda *_: bytes(64)))
                pairs[size] = (city, ledger)
            for _ in range(rounds):
                for size, (city, ledger) in pairs.items():
                    group = city.group(GROUP, lambda *_: bytes(64))
                    costs[size].append(_cpu_s(lambda ledger=ledger, group=group: _register(ledger, group)))
            for _, ledger in pairs.values():
                ledger.close()
        finally:
            registration.is_signed_by = verified
    return {"ledger_append_flatness": statistics.mean(costs[large]) / statistics.mean(costs[small])}
