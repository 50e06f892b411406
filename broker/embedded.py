"""The embedded broker of demo and quick start: rumqttd from the `iotcore` wheel, in this very process.

rumqttd has no access rules and keeps nothing on disk, so it listens on a loopback address only and says so loudly.
It ends with the process, however that ends: there is no child to orphan.
"""

from __future__ import annotations

import importlib
import ipaddress
import logging
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

READY_DEADLINE_S = 10.0
PACKET_BYTES_MAX = 256 * 1024

# A listener of its own for MQTT 5: rumqttd's default speaks 3.1.1, on all interfaces, with payloads up to 20 KB.
_RUMQTTD_TOML = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10

[v5.1]
name = "mqtt5"
listen = "{listen}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {payload_bytes_max}
max_inflight_count = 100
dynamic_filters = true
"""

_BANNER = """\
**********************************************************************
*  EMBEDDED BROKER on mqtt://{listen}
*  For demos and tests, NOT for a city:
*    - no access rules: every local process may read and write all
*    - not durable: a restart forgets sessions and retained messages
*  A city runs Mosquitto with mutual TLS.
**********************************************************************
"""


class EmbeddedBrokerError(Exception):
    """The embedded broker cannot run; the message names the place and the mend."""


def run_embedded(host: str, port: int) -> None:
    """Run the broker on a loopback address until SIGTERM or SIGINT; then return (the caller exits 0).

    To be called in the main thread of a process of its own: the broker has no stop but the process's end, and
    SIGTERM and SIGINT stay blocked afterwards. Raises EmbeddedBrokerError.
    """
    listen = _listen_address(host, port)
    native = _native_module()
    # rumqttd tells each packet it routes as an ERROR; a port it cannot have is found below.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    # Before rumqttd's threads start, so that they inherit the mask and the signal comes to sigwait.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with tempfile.TemporaryDirectory(prefix="wayside-broker-") as directory:
        config = Path(directory) / "rumqttd.toml"
        config.write_text(_RUMQTTD_TOML.format(listen=listen, payload_bytes_max=PACKET_BYTES_MAX), encoding="utf-8")
        broker = native.IotCoreBroker(config_path=str(config))
        try:
            broker.start()
        except OSError as error:
            raise EmbeddedBrokerError(
                f"port {port} of {host} cannot be listened on ({error}); stop what uses it or choose another port"
            ) from error
    _wait_listening(host, port)
    sys.stderr.write(_BANNER.format(listen=listen))
    sys.stderr.flush()
    signal.sigwait(stops)


def _listen_address(host: str, port: int) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise EmbeddedBrokerError(f"{host!r} is no IP address; the embedded broker takes 127.0.0.1") from error
    if not address.is_loopback:
        raise EmbeddedBrokerError(
            f"{host} is not a loopback address; the embedded broker has no access rules and takes only 127.0.0.1"
        )
    if not 1 <= port <= 65535:  # noqa: PLR2004 - TCP's ports
        raise EmbeddedBrokerError(f"port {port} is not from 1 to 65535; 1883 is usual")
    return f"[{host}]:{port}" if address.version == 6 else f"{host}:{port}"  # noqa: PLR2004 - IPv6


def _native_module() -> Any:
    try:
        return importlib.import_module("iotcore.iotcore")
    except ImportError as error:
        raise EmbeddedBrokerError(
            f"the embedded broker is not installed ({error}); run: pip install 'wayside[demo]'"
        ) from error


def _wait_listening(host: str, port: int) -> None:
    deadline_s = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline_s:
        try:
            with socket.create_connection((host, port), timeout=READY_DEADLINE_S):
                return
        except OSError:
            time.sleep(0.02)
    raise EmbeddedBrokerError(f"the embedded broker does not listen on {host}:{port} within {READY_DEADLINE_S:g} s")
