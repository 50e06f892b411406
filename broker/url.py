"""Where the broker is: the one URL form that configuration takes, and the table that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ledger_sync.proof.settings import setting

MQTT_PORT = 1883


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A broker's host (name or IP address, without brackets) and TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """The URL as it is written in configuration and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt://{host}:{self.port}"


def parse_broker_url(raw: Any) -> BrokerUrl:
    """The broker that `mqtt://host:port` names; the port may be left out (1883).

    Raises ValueError with a sentence.
    """
    if not isinstance(raw, str):
        raise ValueError("must be text, such as mqtt://127.0.0.1:1883")  # noqa: TRY004 - one kind for unusable values
    mend = "write it as mqtt://host:port, such as mqtt://127.0.0.1:1883"
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError as error:
        raise ValueError(f"is not a URL ({error}); {mend}") from error
    if parts.scheme == "mqtts":
        raise ValueError("TLS is not supported yet; use mqtt://host:port on a link that is protected otherwise")
    if parts.scheme != "mqtt" or not host or port == 0:
        raise ValueError(f"is not a broker's URL; {mend}")
    if parts.username is not None or parts.password is not None:
        # A password here would reach logs and health with the URL.
        raise ValueError(f"must not carry a user name or password; {mend}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"must end after the port; {mend}")
    return BrokerUrl(host, MQTT_PORT if port is None else port)


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The `[broker]` table, of a gateway's configuration and of a ledger's."""

    url: BrokerUrl = setting(doc="where the broker is: mqtt://host:port", parse=parse_broker_url)
