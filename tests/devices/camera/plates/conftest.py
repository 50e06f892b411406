from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from devices.camera.plates.model_files import DEFAULT_FOLDER, MODEL_FILES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of models of this environment; tests that need it are skipped where it lacks one."""
    if not all((DEFAULT_FOLDER / model.name).is_file() for model in MODEL_FILES):
        pytest.skip(f"no models of number plates in {DEFAULT_FOLDER}; `make test` fetches them")
    cv2.setNumThreads(1)
    return DEFAULT_FOLDER
