"""The control panel's end of an OSDP secure channel without its wire: bytes in, bytes out, events.

libosdp does the protocol. Here it gets what it lacks: after one loss of its reader it would stay away for 300 s
(osdp-dev/libosdp issue 197), so it is told to begin anew a second later, for as long as the reader is lost.
"""

from __future__ import annotations

from typing import Any

import osdp_sys
from osdp import Capability, Command, CommandLEDColor, Event, EventNotification, LibFlag, LogLevel

RETRY_S = 1.0
INPUT_BYTES_MAX = 4096
_READER = 0  # this panel has one, the first


class SecureLink:
    """One reader at one address (0 to 126), with its key of 16 bytes. Only one thread may use it.

    Give what came from the wire to `receive`; then `refresh`, at least every 50 ms and best when bytes came too; then
    send what `outgoing` gives. A reader that does not answer in the secure channel is never heard.
    """

    def __init__(self, address: int, key: bytes) -> None:
        self._dropped = 0
        self._channel = _Channel()
        self._events: list[dict[str, Any]] = []
        self._refreshed_at = 0.0
        self._given_up_at: float | None = None
        osdp_sys.set_loglevel(LogLevel.Emergency)  # it writes to stderr, and at its lowest level whole frames
        self._panel = osdp_sys.ControlPanel([_reader_facts(address, key, self._channel)])
        self._panel.set_event_callback(self._on_event)

    @property
    def secure(self) -> bool:
        """Whether the secure channel is up."""
        return bool(self._panel.status() & self._panel.sc_status() & 1)

    @property
    def identified(self) -> bool:
        """Whether a reader at this address has told its make, secure channel or not."""
        return any(self._panel.get_pd_id(_READER).values())

    def receive(self, data: bytes) -> None:
        """Take bytes from the wire; what the panel has not fetched is kept up to 4096 bytes."""
        room = INPUT_BYTES_MAX - len(self._channel.incoming)
        self._channel.incoming += data[:room]
        self._dropped += len(data[room:])

    def take_dropped(self) -> int:
        """How many bytes found no room since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def refresh(self, now_s: float) -> list[dict[str, Any]]:
        """Let the panel go on at `now_s` (monotonic seconds); gives the reader's events but keypad presses."""
        self._refreshed_at = now_s
        if self._given_up_at is not None and now_s - self._given_up_at >= RETRY_S:
            self._begin_anew()
        self._panel.refresh()
        events, self._events = self._events, []
        return events

    def outgoing(self) -> bytes:
        """The bytes to send now."""
        data = bytes(self._channel.outgoing)
        self._channel.outgoing.clear()
        return data

    def signal(self, *, good: bool) -> None:
        """Tell the person at the reader, by light and tone if it has them: green and one beep, or red and three.

        Nothing happens while the reader is lost.
        """
        if not self.secure:
            return
        # A reader without a light would refuse the command, which the panel takes for its loss.
        if self._can(Capability.LEDControl):
            self._panel.submit_command(_READER, _light(good=good))
        if self._can(Capability.AudibleControl):
            self._panel.submit_command(_READER, _tone(good=good))

    def _can(self, capability: int) -> bool:
        compliance, _items = self._panel.check_capability(_READER, capability)
        return bool(compliance)

    def _begin_anew(self) -> None:
        self._panel.disable_pd(_READER)
        self._panel.refresh()
        self._given_up_at = None if self._panel.enable_pd(_READER) else self._refreshed_at

    def _on_event(self, _reader: int, event: dict[str, Any]) -> int:
        """Called by the panel in its `refresh`; must not raise."""
        if event["event"] == Event.Notification:
            if event["type"] == EventNotification.PeripheralDeviceStatus and not event["arg0"]:
                self._given_up_at = self._refreshed_at
        elif event["event"] != Event.KeyPress:  # a PIN concerns nobody here
            self._events.append(dict(event))
        # libosdp 3.2 never frees the dict: a card's number would stay in memory for good.
        event.clear()
        return 0


class _Channel:
    """The byte stream that libosdp reads and writes; `id` tells its channels apart."""

    id = 0

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()

    def read(self, size: int) -> bytes:
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def write(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def flush(self) -> None:
        self.incoming.clear()


def _reader_facts(address: int, key: bytes, channel: _Channel) -> dict[str, Any]:
    return {
        "name": f"PD-{address}",
        "address": address,
        # Without EnforceSecure a card's number would be taken, and sent, in clear.
        "flags": LibFlag.EnforceSecure | LibFlag.EnableNotification,
        "scbk": key,
        "channel": channel,
        # What follows is the reader's to tell; a panel's is not used.
        "version": 0,
        "model": 0,
        "vendor_code": 0,
        "serial_number": 0,
        "firmware_version": 0,
    }


def _light(*, good: bool) -> dict[str, Any]:
    """A temporary light; counts in units of 100 ms (SIA OSDP 2.2, osdp_LED)."""
    return {
        "command": Command.LED,
        "reader": 0,
        "led_number": 0,
        "temporary": True,
        "control_code": 2,
        "on_color": CommandLEDColor.Green if good else CommandLEDColor.Red,
        "off_color": CommandLEDColor.Black,
        "on_count": 10,
        "off_count": 0,
        "timer_count": 10 if good else 20,
    }


def _tone(*, good: bool) -> dict[str, Any]:
    """The default tone; counts in units of 100 ms (SIA OSDP 2.2, osdp_BUZ)."""
    return {
        "command": Command.Buzzer,
        "reader": 0,
        "control_code": 2,
        "on_count": 2,
        "off_count": 1,
        "rep_count": 1 if good else 3,
    }
