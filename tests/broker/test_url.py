from __future__ import annotations

import pytest

from broker.url import BrokerUrl, parse_broker_url


@pytest.mark.parametrize(
    ("raw", "host", "port"),
    [
        ("mqtt://127.0.0.1:1883", "127.0.0.1", 1883),
        ("mqtt://broker.example.org", "broker.example.org", 1883),
        ("mqtt://localhost:18830/", "localhost", 18830),
        ("mqtt://[::1]:1883", "::1", 1883),
    ],
)
def test_an_mqtt_url_names_host_and_port(raw: str, host: str, port: int) -> None:
    url = parse_broker_url(raw)
    assert (url.host, url.port) == (host, port)
    assert parse_broker_url(str(url)) == url


def test_a_url_is_written_with_brackets_around_an_ipv6_address() -> None:
    assert str(BrokerUrl("::1", 1883)) == "mqtt://[::1]:1883"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("", "write it as mqtt://host:port"),
        ("127.0.0.1:1883", "write it as mqtt://host:port"),
        ("http://127.0.0.1", "write it as mqtt://host:port"),
        ("mqtt://", "write it as mqtt://host:port"),
        ("mqtt://host:0", "write it as mqtt://host:port"),
        ("mqtt://host:65536", "is not a URL"),
        ("mqtt://host:port", "is not a URL"),
        ("mqtt://[::1", "is not a URL"),
        (f"mqtt://{'a' * 64}.example", "is not a URL"),
        ("mqtt://user:secret@host", "must not carry a user name or password"),
        ("mqtt://host/topic", "must end after the port"),
        ("mqtt://host?x=1", "must end after the port"),
        ("mqtts://host:8883", "TLS is not supported yet"),
    ],
)
def test_any_other_url_is_refused_with_the_mend(raw: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        parse_broker_url(raw)
    assert "secret" not in str(refused.value)
