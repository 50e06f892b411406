from decimal import Decimal
from typing import Any

import pytest

from ledger_sync.proof import cbor
from ledger_sync.proof.event import CLOCK_SOURCE_BYTES_MAX, JOURNAL_EVENTS_MAX
from ledger_sync.proof.event_types import EVENT_TYPES, SETTLING_DATA_BYTES_MAX, SETTLING_STATEMENT_BYTES_MAX
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust
from ledger_sync.proof.verify import verify
from tests.support.city_of_proofs import GATEWAY_KEY, LEDGER_KEY, METER_READING, Built, build
from tests.support.widest_violations import WIDEST_VIOLATIONS

QR_40_L_ALPHANUMERIC = 4296
"""Characters that fit the largest QR code (ISO/IEC 18004, version 40, level L, alphanumeric mode)."""


def largest_data(kind: str) -> dict[str, Any]:
    """Data of exactly 300 bytes, or as much as there is room for beside the digest of its evidence."""
    if kind in WIDEST_VIOLATIONS:
        return WIDEST_VIOLATIONS[kind]
    register = {"obis": "o" * 24, "value": Decimal("-9.223372036854775807"), "unit": "u" * 16}
    small = {"obis": "1.8.0", "value": Decimal(1), "unit": "Wh"}
    filled: dict[str, dict[str, Any]] = {
        "meter.reading": {
            **METER_READING,
            "meter_time": "t" * 32,
            "meter_id": "m" * 24,
            "registers": [register, register, small],
        },
        "fare.tap": {"direction": "out", "card_sealed": "c" * 24, "product": "p" * 32, "zone": "z" * 32},
        "parking.session": {
            "session": "s" * 32,
            "state": "cancelled",
            "bay": "b" * 32,
            "zone": "z" * 32,
            "start_time": "t" * 40,
            "end_time": "t" * 40,
            "token": "u" * 24,
        },
    }
    data, field = filled[kind], {"meter.reading": "meter_id", "fare.tap": "card_sealed"}.get(kind, "token")
    missing = SETTLING_DATA_BYTES_MAX - len(cbor.encode(data))
    return {**data, field: data[field] + "x" * missing}


def largest(kind: str) -> Built:
    """Everything as long as it may be: names, numbers, data, 10,000 events a batch, 2**32 entries in the log.

    It names a passport. Only the three iat are those of the year 2106; from then on each takes 4 bytes more.
    """
    top, iat_max = (1 << 64) - 1, (1 << 32) - 1
    city, name = "c" * 32, "-" * 32
    return build(
        city=city,
        gateway=name,
        ledger=name,
        place=0,
        count=10_000,
        entry=0,
        log_size=1 << 32,
        event_claims={2: "d" * 32},
        event_fields={
            1: JOURNAL_EVENTS_MAX - 10_000,
            3: JOURNAL_EVENTS_MAX,
            4: 253_402_300_799_999_999,
            6: top,
            7: {1: 2, 2: top, 3: "s" * CLOCK_SOURCE_BYTES_MAX, 4: True},
            8: kind,
            10: largest_data(kind),
            **({11: [bytes(32)]} if kind in WIDEST_VIOLATIONS else {}),
            12: JOURNAL_EVENTS_MAX - 10_001,
        },
        anchor_claims={
            6: iat_max,
            -65538: top,
            -65541: JOURNAL_EVENTS_MAX - 10_000,
            -65542: [253_402_300_799_999_999] * 2,
            -65543: 10_000,
            -65544: [1 << 32, bytes(32), iat_max],
        },
        receipt_claims={2: "s" * 16, 6: iat_max},
    )


@pytest.mark.parametrize("kind", [row.name for row in EVENT_TYPES.values() if row.settles])
def test_the_largest_proof_that_money_hangs_on_fits_a_qr_code(kind: str) -> None:
    built = largest(kind)
    city, name = "c" * 32, "-" * 32
    trust = Trust(city, (GatewayKey(name, GATEWAY_KEY.public),), (LedgerKey(name, LEDGER_KEY.public),))
    proven = verify(built.transparent, trust)
    assert len(cbor.encode(dict(proven.data))) == SETTLING_DATA_BYTES_MAX or kind in WIDEST_VIOLATIONS
    # A type of the longest name that is to settle fits as well.
    longer_by = len("vehicle.red_light") - len(kind)
    assert len(built.statement) + longer_by <= SETTLING_STATEMENT_BYTES_MAX
    assert len(built.transparent) + longer_by <= 2860
    # RFC 9285: three characters for two bytes, two for a last one.
    assert QR_40_L_ALPHANUMERIC >= 3 * (2860 // 2) + 2 * (2860 % 2)
