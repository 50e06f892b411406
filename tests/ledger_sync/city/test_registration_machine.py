"""Any order of sealing, sending, sending again, contradicting, losing and restarting leaves one sound log."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, multiple, rule

from ledger_sync.city.ledger import Ledger, Submission
from ledger_sync.proof.anchor import LedgerHead, anchor_hash
from ledger_sync.proof.merkle import leaf_hash, root_of_inclusion
from ledger_sync.proof.receipt import RefusalReason, parse_receipt, parse_refusal
from tests.ledger_sync.city.gateways import LEDGER_KEY, Gateway, check_log, is_receipt, ledger_settings, proven

if TYPE_CHECKING:
    from broker.topics import BatchAddress
    from ledger_sync.city.ledger import Answer

NAMES = ("gw-1", "gw-2")


class Machine(RuleBasedStateMachine):
    sealed: Bundle[Submission] = Bundle("sealed")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.settings = ledger_settings(Path(self.directory.name), *(Gateway(name).registered for name in NAMES))
        self.ledger = Ledger(self.settings, LEDGER_KEY)
        self.journals = [Gateway(name, journal) for name in NAMES for journal in (1, 2)]
        self.honest: dict[int, list[Submission]] = defaultdict(list)
        self.lied: set[int] = set()
        self.sent: dict[BatchAddress, dict[bytes, bytes]] = defaultdict(dict)
        self.places: dict[bytes, int] = {}
        self.seen: LedgerHead | None = None

    @initialize(target=sealed)
    def begin(self) -> MultipleResults[Submission]:
        return multiple(*(self._seal(which) for which in range(4)))

    @rule(target=sealed, which=st.integers(0, 3), count=st.integers(1, 9))
    def seal(self, which: int, count: int) -> Submission:
        return self._seal(which, count)

    @rule(target=sealed, which=st.integers(0, 3), root=st.binary(min_size=32, max_size=32))
    def seal_the_next_batch_twice(self, which: int, root: bytes) -> MultipleResults[Submission]:
        self.lied.add(which)
        return multiple(self.journals[which].sealed(root=root), self._seal(which))

    def _seal(self, which: int, count: int = 10) -> Submission:
        submission = self.journals[which].seal(count, self.seen)
        self.honest[which].append(submission)
        return submission

    @rule(group=st.lists(sealed, min_size=1, max_size=6))
    def send(self, group: list[Submission]) -> None:
        for one in group:
            self.sent[one.address][anchor_hash(one.anchor)] = one.anchor
        result = self.ledger.register(group)
        for answer in result.answers:
            self._check_receipt(answer) if is_receipt(answer) else self._check_refusal(answer)
        assert result.head is None or result.head.tree_size == len(self.places)
        if result.head is not None:
            self.seen = LedgerHead(result.head.tree_size, result.head.signed.root, result.head.issued_at)

    def _check_receipt(self, answer: Answer) -> None:
        """It proves one of the anchors that were sent for that batch, where that one has been all along."""
        proof = parse_receipt(answer.payload).proof
        assert self.ledger._log.head is not None
        root = self.ledger._log.head.signed.root
        (anchor,) = [
            anchor
            for anchor in self.sent[answer.address].values()
            if root_of_inclusion(leaf_hash(anchor), proof.index, proof.tree_size, proof.path) == root
        ]
        proven(answer, Submission(answer.address, anchor))
        assert self.places.setdefault(anchor, proof.index) == proof.index

    def _check_refusal(self, answer: Answer) -> None:
        refusal = parse_refusal(answer.payload)
        anchor = self.sent[answer.address][refusal.anchor_hash]
        assert anchor not in self.places
        others = [other for other in self.sent[answer.address].values() if other in self.places]
        expected = RefusalReason.CONTRADICTION if others else RefusalReason.BROKEN_CHAIN
        assert refusal.reason is expected

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.settings, LEDGER_KEY)

    def teardown(self) -> None:
        """Whoever never contradicted himself and sends all again, in order, gets a receipt for each."""
        for which, submissions in self.honest.items():
            self.send(submissions)
            if which not in self.lied:
                assert all(one.anchor in self.places for one in submissions)
        self.ledger.close()
        assert check_log(self.settings.log_path) == len(self.places)
        self.directory.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
