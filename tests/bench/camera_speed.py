"""Speed on real tracks against laser gates, and from rendered pixels to speed.

`python -m tests.bench.camera_speed --tracks F --truth F` judges any recording of BrnoCompSpeed's format.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from devices.camera.frame import ClockClass
from devices.camera.speed.contact import ContactPoint
from devices.camera.speed.measure import measure
from devices.camera.speed.measurement import Measurement
from tests.bench.brno_recordings import FRAME_SIZE, Recording, load_recording
from tests.bench.ratio import percentile
from tests.bench.rendered_speed import CASES, Rendered, drive

CORPUS = Path(os.environ.get("WAYSIDE_CORPORA", "../shared/corpora")) / "cameras" / "speed"
KM_H = 3.6

BUMPER = ContactPoint(height_m=0.15, height_uncertainty_m=0.1, drift_widths=1 / 1920)
"""The published tracker follows the lower edge of the body, which hangs over the road by a car's ground clearance."""

_LIMIT_KM_H = 3.0
_LIMIT_SHARE = 0.03
"""In service: 3 km/h up to 100 km/h, 3 % above."""


@dataclass
class Judged:
    """What became of the isolated cars of some recordings."""

    errors_km_h: list[float] = field(default_factory=list)
    within: int = 0
    within_uncertainty: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def cars(self) -> int:
        """All that were isolated."""
        return len(self.errors_km_h) + self.refused.total()

    def figures(self) -> dict[str, float]:
        """By the names of the bench."""
        measured = len(self.errors_km_h)
        return {
            "speed_within": self.within / measured,
            "speed_coverage": measured / self.cars,
            "speed_p99_kmh": percentile([abs(error) for error in self.errors_km_h], 0.99),
        }


def judge(recordings: list[Recording], contact: ContactPoint = BUMPER) -> Judged:
    """Measure every isolated car of `recordings` and hold it against its laser gates."""
    judged = Judged()
    for recording in recordings:
        for car, track in recording.isolated():
            points = track.points(recording.frames_per_s)
            measured = measure(
                points, recording.plane, FRAME_SIZE, recording.zone, ClockClass.CONTAINER, contact=contact
            )
            if not isinstance(measured, Measurement):
                judged.refused[measured.reason.value] += 1
                continue
            error = measured.speed_m_s * KM_H - car.speed_km_h
            judged.errors_km_h.append(error)
            judged.within += abs(error) <= max(_LIMIT_KM_H, _LIMIT_SHARE * car.speed_km_h)
            judged.within_uncertainty += abs(error) <= measured.uncertainty_m_s * KM_H
    return judged


def speed_recordings() -> dict[str, float]:
    """`speed_within`, `speed_coverage` and `speed_p99_kmh` over all recordings of the corpus."""
    truths = sorted(CORPUS.glob("*.truth.json.gz"))
    pairs = [(truth, truth.with_name(truth.name.replace(".truth.", ".tracks."))) for truth in truths]
    return judge([load_recording(*pair) for pair in pairs]).figures()


def speed_rendered() -> dict[str, float]:
    """`speed_rendered_within_uncertainty`, `speed_rendered_bias_kmh` and `speed_rendered_coverage` over all cases."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [outcome for case in CASES for outcome in drive(case, Path(folder))]
    return Rendered(outcomes).figures()


def main(arguments: list[str]) -> int:
    """Print the figures of one recording."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.camera_speed", description=main.__doc__)
    parser.add_argument("--tracks", type=Path, required=True, help="image positions, with the camera's calibration")
    parser.add_argument("--truth", type=Path, required=True, help="laser-gated speeds, lanes and surveyed distances")
    chosen = parser.parse_args(arguments)
    judged = judge([load_recording(chosen.truth, chosen.tracks)])
    errors = judged.errors_km_h
    for name, value in judged.figures().items():
        sys.stdout.write(f"{name:24}{value:8.4f}\n")
    sys.stdout.write(f"{'speed_bias_kmh':24}{sum(errors) / len(errors):8.4f}\n")
    sys.stdout.write(f"{'within own uncertainty':24}{judged.within_uncertainty / len(errors):8.4f}\n")
    sys.stdout.write(f"n {judged.cars} isolated cars, {len(errors)} measured; refused: {dict(judged.refused)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
