from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.brokers import BrokerProcess, start_embedded, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerProcess]:
    start = start_mosquitto if request.param == "mosquitto" else start_embedded
    with start(tmp_path) as process:
        yield process


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.session.BACKOFF_FIRST_S", 0.05)
    monkeypatch.setattr("broker.session.BACKOFF_MAX_S", 0.5)
