"""Where makers of MQTT meters put which register: data for `mqtt_message`. Units are theirs; nothing is converted.

Sources: Tasmota's energy driver (arendst/Tasmota, xdrv_03_energy: Total and ExportActive in kWh), Shelly's Gen2 API
reference (components Switch, PM1, EM, EMData, EM1, EM1Data: energy in Wh), Zigbee2MQTT's exposes (energy in kWh). OBIS
codes as in IEC 62056-6-1: C = 21 to 40 is L1, 41 to 60 L2, 61 to 80 L3.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One number of a message: `path` is keys, and indices into arrays, from the meter's object down."""

    path: tuple[str, ...]
    obis: str
    unit: str


TASMOTA = (
    Field(("ENERGY", "Total"), "1-0:1.8.0", "kWh"),
    Field(("ENERGY", "TotalTariff", "0"), "1-0:1.8.1", "kWh"),
    Field(("ENERGY", "TotalTariff", "1"), "1-0:1.8.2", "kWh"),
    Field(("ENERGY", "ExportActive"), "1-0:2.8.0", "kWh"),
    Field(("ENERGY", "ExportTariff", "0"), "1-0:2.8.1", "kWh"),
    Field(("ENERGY", "ExportTariff", "1"), "1-0:2.8.2", "kWh"),
    Field(("ENERGY", "Power"), "1-0:16.7.0", "W"),
    Field(("ENERGY", "Power", "0"), "1-0:36.7.0", "W"),
    Field(("ENERGY", "Power", "1"), "1-0:56.7.0", "W"),
    Field(("ENERGY", "Power", "2"), "1-0:76.7.0", "W"),
    Field(("ENERGY", "Voltage"), "1-0:32.7.0", "V"),
    Field(("ENERGY", "Voltage", "0"), "1-0:32.7.0", "V"),
    Field(("ENERGY", "Voltage", "1"), "1-0:52.7.0", "V"),
    Field(("ENERGY", "Voltage", "2"), "1-0:72.7.0", "V"),
    Field(("ENERGY", "Current"), "1-0:31.7.0", "A"),
    Field(("ENERGY", "Current", "0"), "1-0:31.7.0", "A"),
    Field(("ENERGY", "Current", "1"), "1-0:51.7.0", "A"),
    Field(("ENERGY", "Current", "2"), "1-0:71.7.0", "A"),
    Field(("ENERGY", "Frequency"), "1-0:14.7.0", "Hz"),
)
"""With SetOption129 1, Total is an array by phase, and is left out: a sum is not ours to make."""

_SHELLY_OUTPUT = (
    # `aenergy` counts energy of both directions, `ret_aenergy` that of the one: so the first is no import register.
    Field(("aenergy", "total"), "1-0:15.8.0", "Wh"),
    Field(("ret_aenergy", "total"), "1-0:2.8.0", "Wh"),
    Field(("apower",), "1-0:16.7.0", "W"),
    Field(("voltage",), "1-0:32.7.0", "V"),
    Field(("current",), "1-0:31.7.0", "A"),
    Field(("freq",), "1-0:14.7.0", "Hz"),
)

SHELLY = {
    "switch": _SHELLY_OUTPUT,
    "cover": _SHELLY_OUTPUT,
    "pm1": _SHELLY_OUTPUT,
    "em": (
        Field(("total_act_power",), "1-0:16.7.0", "W"),
        *(
            Field((f"{phase}_{name}",), f"1-0:{line + code}.7.0", unit)
            for phase, line in (("a", 20), ("b", 40), ("c", 60))
            for name, code, unit in (("act_power", 16, "W"), ("voltage", 12, "V"), ("current", 11, "A"))
        ),
    ),
    "emdata": (
        Field(("total_act",), "1-0:1.8.0", "Wh"),
        Field(("total_act_ret",), "1-0:2.8.0", "Wh"),
        *(
            Field((f"{phase}_{name}",), f"1-0:{line + code}.8.0", "Wh")
            for phase, line in (("a", 20), ("b", 40), ("c", 60))
            for name, code in (("total_act_energy", 1), ("total_act_ret_energy", 2))
        ),
    ),
    "em1": (
        Field(("act_power",), "1-0:16.7.0", "W"),
        Field(("voltage",), "1-0:32.7.0", "V"),
        Field(("current",), "1-0:31.7.0", "A"),
        Field(("freq",), "1-0:14.7.0", "Hz"),
    ),
    "em1data": (
        Field(("total_act_energy",), "1-0:1.8.0", "Wh"),
        Field(("total_act_ret_energy",), "1-0:2.8.0", "Wh"),
    ),
}
SHELLY_METER_OF_DATA = {"emdata": "em", "em1data": "em1"}
"""The component whose energy another one counts."""

ZIGBEE2MQTT = (
    Field(("energy",), "1-0:1.8.0", "kWh"),
    Field(("produced_energy",), "1-0:2.8.0", "kWh"),
    Field(("power",), "1-0:16.7.0", "W"),
    Field(("voltage",), "1-0:32.7.0", "V"),
    Field(("current",), "1-0:31.7.0", "A"),
    Field(("ac_frequency",), "1-0:14.7.0", "Hz"),
)
ZIGBEE2MQTT_METERS_TELL = ("energy", "produced_energy", "power")
"""Battery sensors publish a `voltage` too, in mV, on topics of the same form."""

DEFAULT_TOPICS = {
    "tasmota": "tele/+/SENSOR",
    "shelly": "+/events/rpc",
    "zigbee2mqtt": "zigbee2mqtt/+",
}
