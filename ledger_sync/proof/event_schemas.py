"""What the data of each event type may hold (DESIGN 5); `event_types.py` is their table.

Device time, where a device tells one, is kept as its own text, untouched: the event has the gateway's time beside it.
"""

from __future__ import annotations

from typing import Any

from .card_numbers import refuse_card_numbers
from .cbor import INT64_MAX
from .cose import UTC_US_MAX
from .errors import SchemaError
from .fields import array, boolean, calendar_date, choice, decimal, either, integer, octets, optional, record, text

_count = integer(0, INT64_MAX)
_label = either(text(32), integer())
_device_time = text(40)

METER_READING = record(
    {
        "meter_id": text(64),
        "meter_time": optional(text(32)),
        "integrity": choice("crc", "none"),
        "registers": array(record({"obis": text(24), "value": decimal, "unit": text(16)}), 1, 16),
    }
)
METER_STATUS = record(
    {"meter_id": text(64), "status": choice("fell", "jumped", "reset", "clock_jump", "tamper", "fault")},
    {
        "obis": text(24),
        "before": decimal,
        "after": decimal,
        "unit": text(16),
        "meter_time": text(32),
        "meter_time_before": text(32),
        "text": text(120),
    },
)
SIGNAL_PHASE = record(
    {
        "controller": text(64),
        "group": _label,
        "state": choice(
            "green",
            "green_flashing",
            "yellow",
            "yellow_flashing",
            "red",
            "red_flashing",
            "red_clearance",
            "red_yellow",
            "dark",
            "starting",
            "walk",
            "pedestrian_clearance",
            "dont_walk",
            "unknown",
        ),
        "start_time": optional(_device_time),
        "source": choice("poll", "log", "push"),
        "resolution_ms": integer(0, 3_600_000),
    },
    # `cause` is "opening" where a state is told because the gateway began to look, not because it changed.
    {
        "kind": choice("vehicle", "pedestrian", "overlap"),
        "component": text(64),
        "raw": _label,
        "cause": choice("change", "opening"),
    },
)
SIGNAL_ALARM = record(
    {
        "controller": text(64),
        "component": text(64),
        "alarm": text(64),
        "state": choice("active", "inactive"),
    },
    {
        "category": text(16),
        "priority": integer(0, 255),
        "acknowledged": boolean,
        "suspended": boolean,
        # What happened to the alarm at `device_time`.
        "change": choice("issue", "acknowledge", "suspend", "resume", "request"),
        "device_time": _device_time,
        "text": text(120),
        "values": array(record({"name": text(32), "value": optional(text(120))}), 0, 16),
        # True where the device said more than there is room for.
        "cut": boolean,
    },
)
_tap_fields = record(
    {"direction": choice("in", "out")},
    {
        "token": text(64),
        "card_sealed": text(192),
        "product": _label,
        "zone": _label,
        "result": text(32),
        "auth": choice("card", "bio", "both"),
        "bio": record({"result": text(32)}, {"score": either(integer(), decimal)}),
    },
)


def fare_tap(value: Any) -> dict[str, Any]:
    """A tap of a card: at most one of `token` and `card_sealed`, and nothing that looks like a card number."""
    data: dict[str, Any] = _tap_fields(value)
    if "token" in data and "card_sealed" in data:
        raise SchemaError("a tap has a token or a sealed card, not both", "token")
    refuse_card_numbers(data)
    return data


PARKING_STATE = record(
    {"bay": text(64), "occupied": boolean},
    {
        "cause": choice("change", "heartbeat", "startup", "poll"),
        "fcnt": integer(0, (1 << 32) - 1),
        "battery_mv": integer(0, 100_000),
        "battery_percent": integer(0, 100),
        "temperature_mdeg_c": integer(-273_150, 1_000_000),
        "device_time": _device_time,
    },
)
_session_fields = record(
    {"session": text(64), "state": choice("started", "extended", "ended", "cancelled")},
    {
        "token": text(64),
        "bay": _label,
        "zone": _label,
        "tariff_class": text(32),
        "start_time": _device_time,
        "end_time": _device_time,
        "paid_until": _device_time,
        "duration_s": integer(0, INT64_MAX),
        "amount": decimal,
        "currency": text(3),
        "payment": choice("card", "cash", "app", "permit", "none"),
    },
)


def parking_session(value: Any) -> dict[str, Any]:
    """A parking session at a terminal. `token` is the terminal's own pseudonym of car or card, never its plate."""
    data: dict[str, Any] = _session_fields(value)
    if ("amount" in data) != ("currency" in data):
        raise SchemaError("amount and currency go together", "amount")
    refuse_card_numbers(data)
    return data


_lane = text(8)
_direction = choice("approaching", "departing")
_vehicle_class = choice("two_wheeled", "light", "heavy", "unknown")
# MJPEG and arrival times measure nothing that money follows from.
_enforceable_clock = choice("hardware", "rtsp", "container")
# By an approved instrument, as the camera's passport says, or by one that is not.
_measurement_class = choice("approved", "indicative")
_speed = integer(0, 200_000)
# UTC, µs: the event's own time is when it was recorded, which may be a restart of the gateway later.
_taken = integer(0, UTC_US_MAX)

VEHICLE_COUNT = record(
    {
        "lane": _lane,
        "direction": _direction,
        "interval_s": integer(1, 86_400),
        # How much of the interval the camera saw: what passed in the rest is not counted.
        "observed_s": integer(0, 86_400),
        "counts": array(record({"class": _vehicle_class, "count": integer(0, 1_000_000)}), 0, 4),
    }
)
VEHICLE_PASSAGE = record(
    {"lane": _lane, "direction": _direction, "class": _vehicle_class},
    {
        "speed_mm_s": _speed,
        "uncertainty_mm_s": _speed,
        "clock": choice("hardware", "rtsp", "container", "mjpeg", "arrival"),
        "calibration_sha256": octets(32),
    },
)
VEHICLE_SPEEDING = record(
    {
        "lane": _lane,
        # When the vehicle left the zone in which it was measured.
        "taken_us": _taken,
        "speed_mm_s": _speed,
        # Expanded, coverage factor 2.
        "uncertainty_mm_s": _speed,
        "limit_mm_s": _speed,
        "points": integer(2, 10_000),
        "residual_mm": integer(0, 100_000),
        "span_mm": integer(0, 1_000_000),
        "clock": _enforceable_clock,
        "class": _measurement_class,
        "calibration_sha256": octets(32),
    },
    {"plate_sha256": octets(32)},
)
VEHICLE_RED_LIGHT = record(
    {
        "lane": _lane,
        # When the vehicle passed the stop line.
        "taken_us": _taken,
        # The event by which the light was red when the vehicle passed both lines.
        "signal": record({"journal": octets(16), "sequence": integer(1, (1 << 32) - 1)}),
        # From that event to the stop line, and from the stop line to the second line.
        "red_ms": integer(0, 86_400_000),
        "crossing_ms": integer(0, 600_000),
        "clock_error_ms": integer(0, 60_000),
        "clock": _enforceable_clock,
        "class": _measurement_class,
        "calibration_sha256": octets(32),
    },
    {"plate_sha256": octets(32)},
)
COUNTER_TOTAL = record(
    {"counter": text(64), "pulses": _count},
    {"value": decimal, "unit": text(16)},
)
CONTACT_STATE = record({"contact": text(64), "active": boolean}, {"device_time": _device_time})
EVIDENCE_PACKAGE = record(
    {"files": integer(1, 100_000), "bytes": _count, "manifest_sha256": octets(32)},
    # A vendor's name for it may hold a plate: it is told where the configuration says so.
    {"package": text(128), "device_time": _device_time},
)
DEVICE_PASSPORT = record(
    {},
    {
        "latitude_udeg": integer(-90_000_000, 90_000_000),
        "longitude_udeg": integer(-180_000_000, 180_000_000),
        "place": text(120),
        "lane": _label,
        "zone": _label,
        "direction": text(32),
        "make": text(64),
        "model": text(64),
        "serial": text(64),
        "approval": text(64),
        "class": text(32),
        "calibration": record(
            {"date": calendar_date}, {"expires": calendar_date, "certificate": text(64), "laboratory": text(64)}
        ),
        "seal": text(64),
        "software": text(64),
        "software_sha256": octets(32),
        "tariff_class": text(32),
    },
)
DEVICE_HEALTH = record(
    # Impaired: it is there, and `reason` says what of its work it cannot do.
    {"state": choice("online", "impaired", "offline")},
    {"reason": text(300), "errors": _count, "resyncs": _count, "bytes_dropped": _count},
)
GATEWAY_START = record({"software": text(64), "configuration_sha256": octets(32)})
GATEWAY_STOP = record({"reason": text(64)})
GATEWAY_HEARTBEAT = record({})
GATEWAY_CLOCK = record({"step_us": integer()})
GATEWAY_GAP = record(
    {
        "reason": text(300),
        "journal": optional(octets(16)),
        "batch": optional(_count),
        "sequence": optional(_count),
        "readings_lost": optional(_count),
    }
)
GATEWAY_TAMPER = record({"device": text(32), "contact": text(64), "active": boolean})
