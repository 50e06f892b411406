"""Data of violations with every field as long as its schema allows."""

from typing import Any

from ledger_sync.proof.cose import UTC_US_MAX

_EITHER = {
    "lane": "12345678",
    "taken_us": UTC_US_MAX,
    "clock": "container",
    "class": "indicative",
    "calibration_sha256": bytes(32),
    "plate_sha256": bytes(32),
}
WIDEST_VIOLATIONS: dict[str, dict[str, Any]] = {
    "vehicle.speeding": _EITHER
    | {
        "speed_mm_s": 200_000,
        "uncertainty_mm_s": 200_000,
        "limit_mm_s": 200_000,
        "points": 10_000,
        "residual_mm": 100_000,
        "span_mm": 1_000_000,
    },
    "vehicle.red_light": _EITHER
    | {
        "signal": {"journal": bytes(16), "sequence": 2**32 - 1},
        "red_ms": 86_400_000,
        "crossing_ms": 600_000,
        "clock_error_ms": 60_000,
    },
}
