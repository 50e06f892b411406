"""What must hold after the plug was pulled: the validator's own list, the journal and the ledger's log agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.harness.check import check
from edge.harness.place import TRUTH
from edge.harness.recorded import recorded_in
from edge.harness.truth import read_truth
from edge.journal.reader import JournalReader
from edge.journal.verify import JournalRefutedError, verify_journal
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.event import parse_event

from .errors import DemoFailedError
from .places import DEVICES, VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.harness.verdict import DeviceVerdict
    from edge.journal.verify import JournalVerdict

    from .places import Places


@dataclass(frozen=True, slots=True)
class TapAudit:
    """The validator's list against the journal.

    `lost`: acknowledged, and not in the journal. `doubled`: more than once in it. `altered`: there with other data, or
    never sent.
    """

    acknowledged: int
    journal: int
    lost: int
    doubled: int
    altered: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was held against something else. `missing` counts sequences from 1 on that have no event."""

    taps: TapAudit
    meters: tuple[DeviceVerdict, ...]
    last_sequence: int
    missing: int
    verdict: JournalVerdict
    ledger_entries: int
    ledger_refusals: int
    ledger_contradictions: int

    def problem(self) -> str | None:
        """What does not hold, if anything."""
        taps, verdict = self.taps, self.verdict
        if taps.lost or taps.doubled or taps.altered or taps.acknowledged != taps.journal:
            return (
                f"the validator has {taps.acknowledged} acknowledged taps, the journal {taps.journal}: "
                f"lost {taps.lost}, doubled {taps.doubled}, altered {taps.altered}"
            )
        for meter in self.meters:
            if meter.problems:
                return f"{meter.device}: {meter.problems[0]}"
        if self.missing:
            return f"{self.missing} of the sequences 1 to {self.last_sequence} are missing in the journal"
        if not verdict.batches == verdict.receipts == self.ledger_entries:
            return f"{verdict.batches} batches have {verdict.receipts} receipts of {self.ledger_entries} log entries"
        if self.ledger_refusals or self.ledger_contradictions:
            return f"the ledger refused anchors ({self.ledger_refusals}) or saw contradictions"
        return None


def audit_taps(
    sent: Mapping[str, Mapping[str, Any]], acknowledged: Sequence[str], journal: Sequence[Mapping[str, Any]]
) -> TapAudit:
    """Hold acknowledged ids of `sent` (tap data by id) against the data of a journal's taps; tokens tell taps apart."""
    in_journal = Counter(data["token"] for data in journal)
    by_token = {data["token"]: data for data in sent.values()}
    return TapAudit(
        acknowledged=len(set(acknowledged)),
        journal=len(journal),
        lost=sum(1 for tap in set(acknowledged) if not in_journal[sent[tap]["token"]]),
        doubled=sum(1 for count in in_journal.values() if count > 1),
        altered=sum(1 for data in journal if by_token.get(data["token"]) != data),
    )


def _audit_meters(places: Places) -> tuple[DeviceVerdict, ...]:
    """The meters' truth against the journal, as `wayside sim check` does."""
    truth = read_truth(places.directory / DEVICES / TRUTH)
    events = [event for event in recorded_in(places.gateway.place.data_dir) if event.device != VALIDATOR]
    return tuple(check(truth, events, {device.id: device.common for device in places.gateway.devices}))


def audit(places: Places, sent: Mapping[str, Mapping[str, Any]], acknowledged: Sequence[str]) -> Audit:
    """Read and verify everything; takes about a second. Raises DemoFailedError when the journal does not verify."""
    with JournalReader(places.journal) as reader:
        sequences, taps = set(), []
        for summary in reader.events():
            sequences.add(summary.sequence)
            event = parse_event(summary.statement)
            if event.type == "fare.tap" and event.device == VALIDATOR:
                taps.append(event.data)
        try:
            verdict = verify_journal(reader, places.gateway_key, places.gateway.ledgers)
        except JournalRefutedError as error:
            raise DemoFailedError(f"the journal {reader.path} does not verify: {error}") from error
    last = max(sequences, default=0)
    status = ledger_status(places.ledger)
    return Audit(
        audit_taps(sent, acknowledged, taps),
        _audit_meters(places),
        last,
        last - len(sequences),
        verdict,
        status["size"],
        len(status["refusals"]),
        len(status["contradictions"]),
    )
