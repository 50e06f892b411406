"""The table of event types: what a driver can say, with one schema each (DESIGN 5).

A type is in this table once something emits it. Numbers are integers in the unit that their name carries, or exact
decimals; there are no floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import event_schemas as schemas
from .errors import SchemaError
from .fields import tellable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .fields import Check

SETTLING_DATA_BYTES_MAX = 300
SETTLING_STATEMENT_BYTES_MAX = 640
STATEMENT_BYTES_MAX = 4096
# What surrounds the data of a statement is as large as in a settling one, at the most.
DATA_BYTES_MAX = STATEMENT_BYTES_MAX - (SETTLING_STATEMENT_BYTES_MAX - SETTLING_DATA_BYTES_MAX)

GATEWAY_PREFIX = "gateway."
PASSPORT = "device.passport"
HEALTH = "device.health"


@dataclass(frozen=True, slots=True)
class EventType:
    """One row: name, schema version, whether money is settled on it, and the check of its data.

    `check` returns the data as it will be signed, or raises SchemaError.
    """

    name: str
    version: int
    settles: bool
    check: Check

    @property
    def data_bytes_max(self) -> int:
        """How large its encoded data may be."""
        return SETTLING_DATA_BYTES_MAX if self.settles else DATA_BYTES_MAX


_TYPES = (
    EventType("meter.reading", 1, settles=True, check=schemas.METER_READING),
    EventType("meter.status", 1, settles=False, check=schemas.METER_STATUS),
    EventType("vehicle.count", 1, settles=False, check=schemas.VEHICLE_COUNT),
    EventType("vehicle.passage", 1, settles=False, check=schemas.VEHICLE_PASSAGE),
    EventType("vehicle.speeding", 1, settles=True, check=schemas.VEHICLE_SPEEDING),
    EventType("vehicle.red_light", 1, settles=True, check=schemas.VEHICLE_RED_LIGHT),
    EventType("signal.phase", 1, settles=False, check=schemas.SIGNAL_PHASE),
    EventType("signal.alarm", 1, settles=False, check=schemas.SIGNAL_ALARM),
    EventType("fare.tap", 1, settles=True, check=schemas.fare_tap),
    EventType("parking.state", 1, settles=False, check=schemas.PARKING_STATE),
    EventType("parking.session", 1, settles=True, check=schemas.parking_session),
    EventType("counter.total", 1, settles=False, check=schemas.COUNTER_TOTAL),
    EventType("contact.state", 1, settles=False, check=schemas.CONTACT_STATE),
    EventType("evidence.package", 1, settles=False, check=schemas.EVIDENCE_PACKAGE),
    EventType("device.passport", 1, settles=False, check=schemas.DEVICE_PASSPORT),
    EventType("device.health", 1, settles=False, check=schemas.DEVICE_HEALTH),
    EventType("gateway.start", 1, settles=False, check=schemas.GATEWAY_START),
    EventType("gateway.stop", 1, settles=False, check=schemas.GATEWAY_STOP),
    EventType("gateway.heartbeat", 1, settles=False, check=schemas.GATEWAY_HEARTBEAT),
    EventType("gateway.clock", 1, settles=False, check=schemas.GATEWAY_CLOCK),
    EventType("gateway.gap", 1, settles=False, check=schemas.GATEWAY_GAP),
    EventType("gateway.tamper", 1, settles=False, check=schemas.GATEWAY_TAMPER),
)

EVENT_TYPES: Mapping[str, EventType] = {one.name: one for one in _TYPES}


def event_type(name: str) -> EventType:
    """The row of a type. Raises SchemaError for a type that is not in the table."""
    row = EVENT_TYPES.get(name)
    if row is None:
        raise SchemaError(f"{tellable(name)} is no event type; known are {', '.join(EVENT_TYPES)}", "type")
    return row
