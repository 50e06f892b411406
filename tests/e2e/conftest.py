from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.black_box import LineDevice, wayside
from tests.e2e.city import City, running_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with running_city(tmp_path_factory.mktemp("city")) as city:
        yield city


@pytest.fixture(params=["pty", "tcp"])
def device(request: pytest.FixtureRequest, city: City) -> LineDevice:
    line: LineDevice = getattr(city, request.param)
    return line


@pytest.fixture(scope="session")
def proof(city: City) -> Path:
    """The transparent statement of a tap."""
    event = next(event for event in city.receipted() if event["type"] == "fare.tap")
    path = city.directory / "event.cose"
    wayside("prove", "--config", city.config, event["sequence"], "-o", path)
    return path
