from __future__ import annotations

import pytest

from devices.wire.mqtt_settings import check_topic_filter


@pytest.mark.parametrize("topic", ["t", "+", "#", "a/+/b", "a/b/#", "+/events/rpc", "/", "a//b"])
def test_a_topic_filter_of_the_standard_is_taken(topic: str) -> None:
    assert check_topic_filter(topic) is None


@pytest.mark.parametrize("topic", ["", "a+/b", "a/b#", "#/a", "a/#/b", "a\0", "x" * 65_536, "ä" * 40_000])
def test_any_other_is_told(topic: str) -> None:
    assert check_topic_filter(topic)
