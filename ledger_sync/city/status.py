"""What a ledger holds, read beside the running service (`wayside ledger status`)."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from typing import TYPE_CHECKING, Any

from ledger_sync.proof.anchor import parse_anchor
from ledger_sync.proof.merkle import EMPTY_ROOT

from .log import BUSY_DEADLINE_MS, SHARD, storage_errors

if TYPE_CHECKING:
    from .settings import LedgerPlace


def ledger_status(place: LedgerPlace) -> dict[str, Any]:
    """Size, root, last entry, each gateway's journals and their heads, contradictions and refusals, ready for JSON.

    Hashes and ids are hex, times UTC s. Of one moment, also while the service writes; a ledger that never ran is
    empty. Raises StorageError or LogError.
    """
    status: dict[str, Any] = {
        "city": place.city,
        "id": place.id,
        "log": SHARD,
        "size": 0,
        "root": EMPTY_ROOT.hex(),
        "issued_at": None,
        "last_entry": None,
        "gateways": {},
        "contradictions": [],
        "refusals": [],
    }
    if place.log_path.exists():
        uri = f"{place.log_path.resolve().as_uri()}?mode=ro"
        connect = functools.partial(sqlite3.connect, uri, uri=True, timeout=BUSY_DEADLINE_MS / 1000)
        with storage_errors(place.log_path), contextlib.closing(connect()) as connection:
            connection.execute("BEGIN")
            # A service that was just started may not have made its tables yet.
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'refusals'").fetchone():
                _read(connection, status)
    return status


def _read(connection: sqlite3.Connection, status: dict[str, Any]) -> None:
    head = connection.execute("SELECT tree_size, root, issued_at FROM heads ORDER BY tree_size DESC LIMIT 1").fetchone()
    if head is not None:
        status["size"], status["root"], status["issued_at"] = head[0], head[1].hex(), head[2]
        status["last_entry"] = _last_entry(connection)
    for gateway, journal, batch, anchor_hash, next_sequence in connection.execute(
        "SELECT gateway, journal, batch, anchor_hash, next_sequence FROM chains ORDER BY gateway, chain"
    ):
        status["gateways"].setdefault(gateway, {})[journal.hex()] = {
            "batch": batch,
            "anchor_hash": anchor_hash.hex(),
            "next_sequence": next_sequence,
        }
    status["contradictions"] = [
        {"gateway": gateway, "journal": journal.hex(), "batch": batch, "entry": entry, "refused_at": refused_at}
        for gateway, journal, batch, entry, refused_at in connection.execute(
            "SELECT gateway, journal, batches.batch, entry, refused_at FROM contradictions"
            " JOIN batches USING (chain, batch) JOIN chains USING (chain) ORDER BY gateway, chain, batches.batch"
        )
    ]
    status["refusals"] = [
        {"gateway": gateway or None, "reason": reason, "count": count, "newest": sentence, "refused_at": refused_at}
        for gateway, reason, count, sentence, refused_at in connection.execute(
            "SELECT gateway, reason, count, sentence, refused_at FROM refusals ORDER BY gateway, reason"
        )
    ]


def _last_entry(connection: sqlite3.Connection) -> dict[str, Any]:
    entry, data = connection.execute("SELECT entry, anchor FROM entries ORDER BY entry DESC LIMIT 1").fetchone()
    anchor = parse_anchor(data)
    return {
        "entry": entry,
        "gateway": anchor.gateway,
        "journal": anchor.claims.journal.hex(),
        "batch": anchor.claims.batch,
    }
