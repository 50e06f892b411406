"""Number plates: photographs read right, published, published wrong; and the CPU beside PyPI's rapidocr.

The peer runs in an environment of its own (`make build/venv-rapidocr/.made`), single-threaded as we are, on each
picture in turn with us.
"""

from __future__ import annotations

import csv
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from devices.camera.plates.countries import country_syntax
from devices.camera.plates.models import open_reader

CORPUS = Path(os.environ.get("WAYSIDE_CORPORA", "../shared/corpora")) / "cameras" / "plates"
PEER = Path("build/venv-rapidocr/bin/python")
COUNTRIES = ("eu", "us", "br")
PEER_PROGRAM = """
import sys, time, cv2
cv2.setNumThreads(1)
from rapidocr import RapidOCR
one = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
reader = RapidOCR(params=one)
for path in sys.stdin:
    image = cv2.imread(path.strip())
    begin = time.process_time()
    reader(image)
    print("seconds", time.process_time() - begin, flush=True)
"""
# The European labels confuse these themselves (the corpora's README).
FOLDED = str.maketrans("OIQ", "010")


class _Read(NamedTuple):
    country: str
    is_right: bool
    is_published: bool


def plates() -> dict[str, float]:
    """Every photograph of the corpus, whole, read by us and by the peer in turn."""
    cv2.setNumThreads(1)
    readers = {country: open_reader(country_syntax(country)) for country in COUNTRIES}
    read: list[_Read] = []
    own_s = peer_s = 0.0
    with subprocess.Popen(
        [PEER, "-c", PEER_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as peer:
        for path, country, plate in _photographs():
            image = cv2.imread(str(path))
            assert image is not None, path
            begin = time.process_time()
            reading = readers[country].read(np.asarray(image, np.uint8))
            own_s += time.process_time() - begin
            peer_s += _peer_seconds(peer, path)
            is_right = reading is not None and reading.text.translate(FOLDED) == plate.translate(FOLDED)
            read.append(_Read(country, is_right, reading is not None and reading.is_published))
    published = [one for one in read if one.is_published]
    return {
        **{f"plate_exact_{one}": _share([row.is_right for row in read if row.country == one]) for one in COUNTRIES},
        "plate_published": _share([one.is_published for one in read]),
        "plate_wrong_published": _share([not one.is_right for one in published]),
        "plate_cpu_vs_rapidocr": own_s / peer_s,
    }


def _photographs() -> list[tuple[Path, str, str]]:
    with (CORPUS / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(CORPUS / row["image"], row["image"][:2], row["plate"]) for row in rows]


def _share(marks: list[bool]) -> float:
    return sum(marks) / len(marks)


def _peer_seconds(peer: subprocess.Popen[str], path: Path) -> float:
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write(f"{path.resolve()}\n")
    peer.stdin.flush()
    for line in peer.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    raise RuntimeError(f"{PEER} ended; make it with `make build/venv-rapidocr/.made`")
