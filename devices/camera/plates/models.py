"""A plate reader from a folder of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.plates import model_files
from devices.camera.plates.detector import PlateDetector
from devices.camera.plates.model_files import ModelError, read_file, read_model
from devices.camera.plates.reader import PlateReader
from devices.camera.plates.recogniser import CharactersError, Recogniser

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.plates.syntax import Syntax


def open_reader(syntax: Syntax, folder: Path | None = None) -> PlateReader:
    """A reader of plates of one syntax, with the models in `folder`, or where the set-up puts them.

    A folder with `recogniser.onnx` and `recogniser.txt` has a recogniser of the operator's own. Takes a quarter of a
    second and some 60 MB. Raises ModelError.
    """
    folder = folder or model_files.DEFAULT_FOLDER
    detector = _network(folder / model_files.DETECTOR.name, read_model(folder, model_files.DETECTOR))
    own = folder / model_files.OWN_RECOGNISER
    if own.exists():
        network = _network(own, read_file(own, "remove it to read with Wayside's"))
        listing = folder / model_files.OWN_CHARACTERS
        text = read_file(listing, f"it goes with {own.name}: a character a line, as it was trained")
    else:
        listing = folder / model_files.CHARACTERS.name
        network = _network(folder / model_files.RECOGNISER.name, read_model(folder, model_files.RECOGNISER))
        text = read_model(folder, model_files.CHARACTERS)
    try:
        characters = tuple(text.decode("utf-8").removesuffix("\n").split("\n"))
        return PlateReader(PlateDetector(detector), Recogniser(network, characters, syntax.alphabet), syntax)
    except UnicodeDecodeError as error:
        raise ModelError(f"{listing}: is not UTF-8 text (byte {error.start})") from error
    except CharactersError as error:
        raise ModelError(f"{listing}: its characters {error}") from error
    except cv2.error as error:
        raise ModelError(f"{own}: does not read a line 48 pixels high ({error.err}); take a PaddleOCR one") from error


def _network(path: Path, content: bytes) -> cv2.dnn.Net:
    try:
        # The classic engine fails on these networks' dynamic shapes.
        return cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8), engine=cv2.dnn.ENGINE_NEW)
    except cv2.error as error:
        raise ModelError(f"{path}: is no ONNX network that OpenCV {cv2.__version__} runs ({error.err})") from error
