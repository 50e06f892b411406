"""The keys of every `[[device]]` that is reached through an MQTT broker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the settings reader resolves annotations at run time

from broker.url import BrokerUrl, parse_broker_url
from ledger_sync.proof.settings import parse_file, setting

SESSION_EXPIRY_MAX_S = (1 << 32) - 2  # one more means for ever (MQTT 5, 3.1.2.11.2)
_TOPIC_BYTES_MAX = 65_535


def check_topic_filter(topic: str) -> str | None:
    """What is wrong with a topic filter (MQTT 5, 4.7), if anything."""
    levels = topic.split("/")
    if not topic or "\0" in topic or len(topic.encode(errors="replace")) > _TOPIC_BYTES_MAX:
        return "is no topic filter; write one such as meters/+/state"
    if any(level not in {"+", "#"} and ("+" in level or "#" in level) for level in levels) or "#" in levels[:-1]:
        return f"is {topic!r}; + and # stand for whole levels, and # only at the end"
    return None


@dataclass(frozen=True)
class MqttSettings:
    """Where the broker is, and who we are to it. A password is a file's content, never a value in configuration."""

    url: BrokerUrl = setting(doc="the devices' broker: mqtt://host:port", parse=parse_broker_url)
    username: str | None = setting(None, doc="user name at the broker; none is anonymous", minimum=1)
    password_file: Path | None = setting(None, doc="the file that holds the password", parse=parse_file)
    client_id: str | None = setting(
        None, doc='our name at the broker, "wayside-" and the device\'s id if none is given', minimum=1, maximum=64
    )
    session_expiry_s: int = setting(
        86_400,
        doc="how long the broker keeps what is sent with QoS 1 while the gateway is away",
        minimum=0,
        maximum=SESSION_EXPIRY_MAX_S,
    )

    def __post_init__(self) -> None:
        """Raises ValueError for keys that contradict each other."""
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username beside it")
