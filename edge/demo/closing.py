"""The demo's end: what held, one event proven, and how to do it oneself; as text and as JSON."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_sync.proof import report

from .camera import speeding_json
from .lines import spread_text
from .road import LIMIT_KM_H

if TYPE_CHECKING:
    from .audit import Audit
    from .camera import Speeding
    from .figures import Count, Figures, Pipeline, Spread
    from .proof import TapProof
    from .story import Outage

_ONESELF = """\
Do it yourself (wayside is {wayside}):
  wayside broker run                          to try out; a city runs Mosquitto
  wayside ledger init --config ledger.toml    a key, and a sample file to adapt
  wayside init --config gateway.toml          the same; name your devices there
  wayside ledger run --config ledger.toml
  wayside run --config gateway.toml
  wayside journal events --config gateway.toml
  wayside prove --config gateway.toml 42 -o event.cose
  wayside verify event.cose --trust trust.toml"""


@dataclass(frozen=True, slots=True)
class Result:
    """All that a demo has to tell which held; the longest waits span the outage."""

    seconds: float
    figures: Figures
    outage: Outage
    tap_wait_longest_s: float
    receipt_wait_longest_s: float
    audit: Audit
    proof: TapProof
    speeding: Speeding


def result_text(result: Result) -> str:
    """The closing lines for people."""
    return "\n".join(
        (
            "",
            _held(result),
            "",
            _proven(result.proof),
            "",
            _filmed(result.speeding),
            "",
            _ONESELF.format(wayside=_command()),
            "",
            _end(result),
        )
    )


def _held(result: Result) -> str:
    outage, audit = result.outage, result.audit
    taps, verdict = audit.taps, audit.verdict
    return f"""\
The plug was pulled with {outage.taps_in_flight} taps in flight, batches without receipt: {outage.batches_waiting}.
Broker away {outage.broker_s:.1f} s, gateway dead {outage.gateway_s:.1f} s. What the journal holds now:
  acknowledged {taps.acknowledged} = journal {taps.journal}, lost {taps.lost}, doubled {taps.doubled}
  meters said {sum(one.said for one in audit.meters)} things: {_meters(audit)}
  sequences 1 to {audit.last_sequence} without a gap
  journal verify passes: {verdict.events} events, {verdict.batches} batches, {verdict.receipts} receipts
  the city's log: {audit.ledger_entries} entries, {audit.ledger_refusals} refusals
  tap sent to acknowledged   {_waits_text(outage.tap_wait_before, result.tap_wait_longest_s)}
  batch sealed to receipt    {_waits_text(outage.receipt_wait_before, result.receipt_wait_longest_s)}"""


def _meters(audit: Audit) -> str:
    recorded, missed = (sum(getattr(one, name) for one in audit.meters) for name in ("recorded", "in_gaps"))
    return f"{recorded} in the journal, {missed} while the gateway was dead, lost 0"


def _waits_text(before: Spread | None, longest_s: float) -> str:
    return f"{spread_text(before)}; longest, in the outage, {longest_s:.1f} s"


def _proven(proof: TapProof) -> str:
    return f"""\
The last tap acknowledged before that, proven offline from two files:
$ wayside prove --config gateway.toml {proof.proven.sequence} -o {proof.path.name}
{proof.path.name}: {proof.size_bytes} bytes
$ wayside verify {proof.path.name} --trust trust.toml
{proof.report}
and with one bit of byte {proof.flipped_byte} flipped, in the tap's token:
refused: {proof.refusal.reason}
  {report.printable(str(proof.refusal))}"""


def _filmed(speeding: Speeding) -> str:
    plate = "was not read surely enough" if speeding.plate is None else f"reads {speeding.plate}"
    checks = "\n".join(f"  {report.printable(check)}" for check in speeding.opened.checks)
    return f"""\
A car at {speeding.road.speed_km_h:.1f} km/h where {LIMIT_KM_H} are allowed, filmed, measured, signed and sealed:
  measured {speeding.speed_km_h:.1f} +- {speeding.uncertainty_km_h:.1f} km/h ({speeding.event.data["class"]}), \
proof of {speeding.statement_bytes} bytes
  its plate {plate}, for the traffic authority alone; the ledger and the broker saw a hash
  the authority opened the picture with its key; the raw pictures need a second one, and opened with both
{checks}"""


def _end(result: Result) -> str:
    return f"All of it held, in {result.seconds:.0f} s. Nothing is left running, and nothing on the disk."


def result_json(result: Result) -> dict[str, Any]:
    """The object of `wayside demo --json`. Waits in ms and s, as the keys say."""
    figures, outage, audit, proof = result.figures, result.outage, result.audit, result.proof
    pipeline = figures.pipeline
    return {
        "held": True,
        "seconds": round(result.seconds, 1),
        "taps": {"sent": figures.taps_sent, "in_flight_at_the_plug": outage.taps_in_flight, **asdict(audit.taps)},
        "events": {
            "read": pipeline.readings,
            "committed": pipeline.committed,
            "batched": pipeline.batched.events,
            "anchored": pipeline.anchored.events,
            "receipted": pipeline.receipted.events,
        },
        "batches": {**_batches(pipeline), "waiting_at_the_plug": outage.batches_waiting},
        "sequences": {"last": audit.last_sequence, "missing": audit.missing},
        "journal_verify": asdict(audit.verdict),
        "ledger": {
            "entries": audit.ledger_entries,
            "refusals": audit.ledger_refusals,
            "contradictions": audit.ledger_contradictions,
        },
        "outage": {"broker_s": round(outage.broker_s, 1), "gateway_s": round(outage.gateway_s, 1)},
        "tap_to_acknowledged": _waits(outage.tap_wait_before, result.tap_wait_longest_s),
        "sealed_to_receipted": _waits(outage.receipt_wait_before, result.receipt_wait_longest_s),
        "devices": dict(pipeline.by_device),
        "speeding": speeding_json(result.speeding),
        "proof": {
            "file": proof.path.name,
            "bytes": proof.size_bytes,
            **report.as_json(proof.proven),
            "flipped_byte": proof.flipped_byte,
            "flipped": report.refusal_as_json(proof.refusal),
        },
    }


def _batches(pipeline: Pipeline) -> dict[str, int]:
    stages: dict[str, Count] = {
        "sealed": pipeline.batched,
        "anchored": pipeline.anchored,
        "receipted": pipeline.receipted,
    }
    return {name: stage.batches for name, stage in stages.items()}


def _waits(before: Spread | None, longest_s: float) -> dict[str, float | None]:
    p50, p99 = (round(before.p50, 1), round(before.p99, 1)) if before else (None, None)
    return {"p50_ms": p50, "p99_ms": p99, "longest_s": round(longest_s, 1)}


def _command() -> str:
    """How to call `wayside` from here: by its name if a shell finds it, else by the path of this installation's."""
    if shutil.which("wayside"):
        return "wayside"
    program = Path(sys.executable).with_name("wayside")
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)
