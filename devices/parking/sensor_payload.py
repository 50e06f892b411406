"""What a parking sensor's LoRaWAN payload says, by a table: which bytes of which FPort are which field.

A further sensor is a table in configuration (`[[device.decode]]`), not code; those that come with us are tables too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

_OCCUPIED = "occupied"
# What a `parking.state` may say. Sensors tell a battery that they do not know as 255 or FFFFh.
_RANGES = {
    "battery_mv": range(100_001),
    "battery_percent": range(101),
    "temperature_mdeg_c": range(-273_150, 1_000_001),
}
_INT64 = 1 << 63


@dataclass(frozen=True)
class PayloadField:
    """A `[[device.decode]]` row: one field of the payload on one FPort.

    The bytes are read as an integer; `mask`, if any, keeps some bits and moves them down to bit 0; then `occupied` is
    whether the value equals `equals` (whether it is not 0, if there is none), any other field is value · scale + add.
    """

    fport: int = setting(doc="the FPort of such payloads", minimum=1, maximum=255)
    field: str = setting(doc="what it is", choices=(_OCCUPIED, "battery_mv", "battery_percent", "temperature_mdeg_c"))
    offset: int = setting(doc="the first byte, from 0", minimum=0, maximum=241)
    length: int = setting(1, doc="how many bytes", minimum=1, maximum=4)
    byte_order: str = setting(
        "big", doc="which byte comes first: the most (big) or least significant (little)", choices=("big", "little")
    )
    signed: bool = setting(default=False, doc="whether the integer is in two's complement")
    mask: int | None = setting(None, doc="which bits count, such as 0x01", minimum=1, maximum=(1 << 32) - 1)
    equals: int | None = setting(None, doc="the value that means occupied; any but 0 if none is given")
    scale: int = setting(1, doc="what the value is multiplied by", minimum=-1_000_000, maximum=1_000_000)
    add: int = setting(0, doc="what is added then", minimum=-1_000_000_000, maximum=1_000_000_000)
    cause: str | None = setting(
        None,
        doc="why the sensor sends on this FPort; of `occupied`",
        choices=("change", "heartbeat", "startup", "poll"),
    )

    def __post_init__(self) -> None:
        """Raises ValueError for keys that contradict each other."""
        if self.signed and self.mask is not None:
            raise ValueError("signed and mask exclude each other")
        if self.field == _OCCUPIED and (self.scale != 1 or self.add != 0):
            raise ValueError("occupied is yes or no: it has no scale and nothing to add; use equals")
        if self.field != _OCCUPIED and (self.equals is not None or self.cause is not None):
            raise ValueError("equals and cause are for the field occupied")


def check_table(table: Sequence[PayloadField]) -> None:
    """Raises ValueError unless each FPort of the table tells `occupied`, and no field twice."""
    told = [(row.fport, row.field) for row in table]
    for fport, name in told:
        if (fport, _OCCUPIED) not in told:
            raise ValueError(f"decode has no row for occupied on FPort {fport}; a state needs it")
        if told.count((fport, name)) > 1:
            raise ValueError(f"decode tells {name} on FPort {fport} twice")


BOSCH_PARKING = (
    PayloadField(fport=1, field=_OCCUPIED, offset=0, equals=1, cause="change"),
    PayloadField(fport=1, field="temperature_mdeg_c", offset=1, signed=True, scale=1000),
    PayloadField(fport=2, field=_OCCUPIED, offset=0, equals=1, cause="heartbeat"),
    PayloadField(fport=2, field="temperature_mdeg_c", offset=1, signed=True, scale=1000),
    PayloadField(fport=3, field=_OCCUPIED, offset=16, mask=0x01, cause="startup"),
)
"""Bosch Parking Lot Sensor: status, heartbeat, startup; °C. Layout as its sellers publish it
(SensationalSystems/bosch-parking-lot-sensor-decoder); FPorts 4 to 7 tell no occupancy."""

DECODERS = {"bosch-parking": BOSCH_PARKING}


def decode(table: Sequence[PayloadField], fport: int, data: bytes) -> dict[str, Any] | None:
    """The fields of a payload, `occupied` among them; None when the table has nothing on this FPort.

    A payload that ends before another field just lacks it, as it does one that is out of all range. Raises ValueError
    when it ends before `occupied`.
    """
    fields: dict[str, Any] = {}
    rows = [row for row in table if row.fport == fport]
    for row in rows:
        octets = data[row.offset : row.offset + row.length]
        if len(octets) == row.length:
            value = _value(row, octets)
            if row.field == _OCCUPIED or value in _RANGES[row.field]:
                fields[row.field] = value
            if row.cause is not None:
                fields["cause"] = row.cause
        elif row.field == _OCCUPIED:
            raise ValueError(
                f"a payload of {len(data)} bytes on FPort {fport} is too short to tell whether it is occupied"
            )
    return fields or None


def _value(row: PayloadField, octets: bytes) -> int | bool:
    value = int.from_bytes(octets, cast("Literal['big', 'little']", row.byte_order), signed=row.signed)
    if row.mask is not None:
        lowest_bit = row.mask & -row.mask
        value = (value & row.mask) // lowest_bit
    if row.field == _OCCUPIED:
        return value != 0 if row.equals is None else value == row.equals
    return value * row.scale + row.add
