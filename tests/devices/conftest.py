from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def corpora(pytestconfig: pytest.Config) -> Path:
    """The folder of real device data (WAYSIDE_CORPORA); tests that need it are skipped where it is absent."""
    folder = pytestconfig.rootpath / os.environ.get("WAYSIDE_CORPORA", "../shared/corpora")
    if not folder.is_dir():
        pytest.skip(f"no corpora of real device data at {folder}; set WAYSIDE_CORPORA")
    return folder
