"""The contract's fixtures, as a pytest plugin: `-p devices.contract.plugin`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.sim.pty import PseudoTerminal

pytest.register_assert_rewrite("devices.contract.suite")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[PseudoTerminal]:
    """A pseudo-terminal that the test owns like a device; the driver opens its `path`."""
    with PseudoTerminal(tmp_path / "port") as terminal:
        yield terminal
