"""Which devices can be simulated: each kind's name and its class, imported only when one is made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .device import SimulatedDevice

KINDS = {
    "camera": "camera.camera:Camera",
    "contact-digital-input": "contact.digital_input:DigitalInputContact",
    "evidence-package": "evidence.package:PackageBox",
    "fare-osdp": "fare.osdp:OsdpReader",
    "fare-pn532": "fare.pn532:Pn532Reader",
    "fare-validator": "fare.validator:Validator",
    "meter-dsmr": "meter.dsmr:DsmrMeter",
    "meter-han": "meter.han:HanMeter",
    "meter-iec62056": "meter.iec62056:Iec62056Meter",
    "meter-mbus": "meter.mbus:MBusMeter",
    "meter-modbus": "meter.modbus:ModbusMeter",
    "meter-mqtt": "meter.mqtt:MqttMeter",
    "meter-sml": "meter.sml:SmlMeter",
    "parking-chirpstack": "parking.chirpstack:ParkingSensor",
    "parking-terminal": "parking.terminal:ParkingTerminal",
    "signal-hires": "signal.hires:HiresController",
    "signal-ntcip": "signal.ntcip:NtcipController",
    "signal-rsmp": "signal.rsmp:RsmpSite",
}


def simulated(kind: str) -> type[SimulatedDevice]:
    """The class of this kind. Raises KeyError for a kind that is not in the table."""
    module, _, name = KINDS[kind].partition(":")
    found: type[SimulatedDevice] = getattr(import_module(f"devices.sim.{module}"), name)
    return found
