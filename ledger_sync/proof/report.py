"""What is proven, told to programs and to people. The JSON keys are part of the interface (FORMAT.md)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import RefusedError
    from .verify import Proven

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_STATES = ("unsynced", "holdover", "synced")
_ORIGINS = ("unprotected", "checksum", "authenticated link", "signed by the device")


def as_json(proven: Proven, passport: Proven | None = None) -> dict[str, Any]:
    """The object that `verify --json` prints: values of JSON only, decimals as strings, bytes as hexadecimal digits.

    With the event's passport, if that is proven too, its data.
    """
    clock, seen = proven.stamp.clock, proven.ledger_seen
    told = {
        "verified": True,
        "city": proven.city,
        "gateway": proven.gateway,
        "device": proven.device,
        "journal": proven.journal.hex(),
        "sequence": proven.sequence,
        "device_counter": proven.device_counter,
        "type": proven.type,
        "version": proven.version,
        "data": data_to_json(proven.data),
        "origin": proven.origin,
        "evidence": data_to_json(proven.evidence),
        "passport": proven.passport,
        "time": utc_us_text(proven.stamp.utc_us),
        "clock": {
            "state": clock.state,
            "error_us": clock.error_us,
            "source": clock.source,
            "authenticated": clock.authenticated,
        },
        "batch": proven.batch,
        "batch_count": proven.batch_count,
        "ledger": proven.ledger,
        "shard": proven.shard,
        "entry": proven.entry,
        "tree_size": proven.tree_size,
        "logged_by": utc_s_text(proven.logged_by),
        "not_before": None if seen is None else utc_s_text(seen.issued_at),
        "not_revoked_as_of_entry": proven.entry,
    }
    return told if passport is None else {**told, "passport_data": data_to_json(passport.data)}


def refusal_as_json(error: RefusedError) -> dict[str, Any]:
    """The object that `verify --json` prints for what it refuses."""
    return {"verified": False, "reason": error.reason.value, "sentence": str(error)}


def as_text(proven: Proven, passport: Proven | None = None) -> str:
    """What is proven, in lines for people; no character of it can steer a terminal.

    With the event's passport, if that is proven too, its data.
    """
    clock, seen = proven.stamp.clock, proven.ledger_seen
    bound = "" if clock.error_us is None else f", to {clock.error_us} µs"
    authentic = "authenticated" if clock.authenticated else "not authenticated"
    after = "" if seen is None else f"after {utc_s_text(seen.issued_at)} and "
    lines = {
        "gateway": f"{proven.city}/{proven.gateway}",
        "device": f"{proven.device} (its event {proven.device_counter}; {_ORIGINS[proven.origin]})",
        "event": f"{proven.type}, version {proven.version}",
        "data": _json_text(proven.data),
        **({"evidence": ", ".join(data_to_json(proven.evidence))} if proven.evidence else {}),
        **({} if proven.passport is None else {"passport": _passport(proven.passport, passport)}),
        "time": utc_us_text(proven.stamp.utc_us),
        "clock": f"{_CLOCK_STATES[clock.state]}{bound}, source {clock.source or 'none'}, {authentic}",
        "place": f"sequence {proven.sequence}, journal {proven.journal.hex()}",
        "batch": f"{proven.batch} ({proven.batch_count} events), signed {after}by {utc_s_text(proven.logged_by)}",
        "ledger": f"{proven.city}/{proven.ledger}, {proven.shard}, entry {proven.entry} of {proven.tree_size}",
        "key": f"not revoked as of entry {proven.entry}, by this trust file",
    }
    return "\n".join(["verified", *(f"  {name:9}{printable(line)}" for name, line in lines.items())])


def _passport(sequence: int, passport: Proven | None) -> str:
    if passport is None:
        return f"event {sequence} of the same journal; `--passport` checks its statement"
    return f"event {sequence} of the same journal, verified: {_json_text(passport.data)}"


def _json_text(data: Any) -> str:
    return json.dumps(data_to_json(data), ensure_ascii=False)


def data_to_json(data: Any) -> Any:
    """Event data as JSON has it: decimals as plain strings, trailing zeros kept; bytes as hexadecimal digits."""
    if isinstance(data, dict):
        return {name: data_to_json(member) for name, member in data.items()}
    if isinstance(data, list | tuple):
        return [data_to_json(one) for one in data]
    if isinstance(data, Decimal):
        return f"{data:f}"
    if isinstance(data, bytes):
        return data.hex()
    return data


def printable(line: str) -> str:
    r"""The line with whatever would not show, such as a control character or a change of direction, as \uXXXX."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in line)


def utc_us_text(utc_us: int) -> str:
    """UTC µs as RFC 3339 with six places; for years up to 9999, which every parsed event keeps to."""
    return (_EPOCH + timedelta(microseconds=utc_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc_s_text(utc_s: int) -> str:
    """UTC s as RFC 3339."""
    return (_EPOCH + timedelta(seconds=utc_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
