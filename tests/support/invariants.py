"""What must hold of a city after any storm, checked by one function that reads only what is on disk.

    check_city(files, validators)

It fails with a sentence that names the first promise that is broken.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.config import load_gateway_config
from edge.journal.files import journals
from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from ledger_sync.city.settings import load_ledger_place
from ledger_sync.city.status import ledger_status
from ledger_sync.proof.anchor import parse_anchor
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.merkle import Frontier, leaf_hash
from ledger_sync.proof.receipt import parse_receipt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.journal.reader import Batch
    from tests.support.city_files import CityFiles
    from tests.support.counting_validator import CountingValidator


@dataclass(frozen=True, slots=True)
class CityCounts:
    """How much was checked."""

    events: int
    batches: int
    acknowledged: int
    log_entries: int


def check_city(files: CityFiles, validators: Sequence[CountingValidator] = ()) -> CityCounts:
    """All promises over one gateway's one journal and its ledger; every batch must have its receipt by now."""
    (path,) = journals(files.directory / "var")
    with JournalReader(path) as reader:
        verdict = verify_journal(reader, files.gateway_key, load_gateway_config(files.gateway_config).ledgers)
        batches = list(reader.batches())
        unreceipted = [batch.number for batch in batches if batch.state != "receipted"]
        assert not unreceipted, f"batches without a receipt: {unreceipted}"
    tokens = tokens_in(path)
    for validator in validators:
        check_validator(validator, tokens.get(validator.id, {}))
    entries = check_ledger(files, batches)
    acknowledged = sum(len(validator.acknowledged) for validator in validators)
    return CityCounts(verdict.events, len(batches), acknowledged, entries)


def tokens_in(path: Path) -> dict[str, dict[str, int]]:
    """The taps of a journal: device → token → sequence, in order.

    Sequences and device counters must run from 1 without gap, each event names its device's newest passport, and no
    token of a device may stand twice.
    """
    counters: Counter[str] = Counter()
    passports: dict[str, int] = {}
    tokens: dict[str, dict[str, int]] = {}
    with JournalReader(path) as reader:
        for expected, summary in enumerate(reader.events(), 1):
            event = parse_event(summary.statement)
            assert summary.sequence == event.sequence == expected, f"event {expected} is missing or stands elsewhere"
            counters[event.device] += 1
            assert event.device_counter == counters[event.device], f"event {expected}: the device's counter has a gap"
            if event.type == "device.passport":
                passports[event.device] = expected
            else:
                assert event.passport == passports.get(event.device), f"event {expected} names another passport"
            if event.type == "fare.tap":
                of_device, token = tokens.setdefault(event.device, {}), event.data["token"]
                assert token not in of_device, f"{token} is recorded twice: {of_device.get(token)} and {expected}"
                of_device[token] = expected
    return tokens


def check_validator(validator: CountingValidator, recorded: dict[str, int]) -> None:
    """Acknowledged means recorded; what the device's order defines is the order of the sequences."""
    assert not validator.refused, f"refused without reason: {validator.refused}"
    assert not validator.strange_answers, f"acknowledged though never sent: {validator.strange_answers}"
    lost = [token for token in validator.acknowledged if token not in recorded]
    assert not lost, f"acknowledged and lost: {lost}"
    invented = recorded.keys() - validator.taps.keys()
    assert not invented, f"recorded though never tapped: {invented}"
    # Sent after others were acknowledged: recorded after all of those.
    newest_acknowledged = [0]
    for token in validator.acknowledged:
        newest_acknowledged.append(max(newest_acknowledged[-1], recorded[token]))
    for token, sequence in recorded.items():
        before = newest_acknowledged[validator.taps[token].acknowledged_before]
        assert sequence > before, f"{token} is event {sequence}, though tapped after event {before} was acknowledged"
    # Sent once each: the wire keeps their order, and so must the journal. (Of two that are sent again, the later one
    # may get through first: nothing was promised of either then.)
    once = [recorded[token] for token, tap in validator.taps.items() if tap.sent_count == 1 and token in recorded]
    assert once == sorted(once), "taps that were sent once each are out of order"


def check_ledger(files: CityFiles, batches: Sequence[Batch]) -> int:
    """Each batch stands once in the log, where its receipt says; every signed head is that of the entries."""
    place = load_ledger_place(files.ledger_config)
    status = ledger_status(place)
    assert not status["refusals"], f"the ledger refused: {status['refusals']}"
    assert not status["contradictions"], f"the gateway contradicted itself: {status['contradictions']}"
    with contextlib.closing(sqlite3.connect(f"file:{place.log_path}?mode=ro", uri=True)) as connection:
        entries = [bytes(row[0]) for row in connection.execute("SELECT anchor FROM entries ORDER BY entry")]
        heads = dict(connection.execute("SELECT tree_size, root FROM heads"))
    names = Counter((parse_anchor(one).claims.journal, parse_anchor(one).claims.batch) for one in entries)
    assert all(count == 1 for count in names.values()), "a batch stands twice in the ledger's log"
    assert len(entries) == len(batches), f"{len(entries)} log entries for {len(batches)} batches"
    for batch in batches:
        index = parse_receipt(batch.receipt or b"").proof.index
        assert entries[index] == batch.anchor, f"batch {batch.number}'s receipt names entry {index}, which is another"
    tree = Frontier()
    for entry in entries:
        tree.append(leaf_hash(entry))
        assert heads.pop(tree.size, tree.root()) == tree.root(), f"the head of {tree.size} entries is another root"
    assert not heads, f"heads were signed over more entries than there are: {sorted(heads)}"
    return len(entries)
