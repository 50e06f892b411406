"""From rendered pixels to speed; the full set of light, weather and faults is the bench's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.sim.camera.video import StreamFaults
from tests.bench.rendered_speed import Case, Rendered, drive

if TYPE_CHECKING:
    from pathlib import Path


def test_with_frames_lost_and_times_shaken_no_speed_is_off_by_more_than_its_uncertainty(tmp_path: Path) -> None:
    faults = StreamFaults(drop=0.1, jitter_s=0.01, freezes=((8.0, 8.3),))
    case = Case("faults", faults=faults, stamp_s=0.002, vehicles=6, seed=3, speeds_km_h=(40.0, 110.0))
    figures = Rendered(drive(case, tmp_path)).figures()
    assert figures["speed_rendered_within_uncertainty"] == 1.0
    assert figures["speed_rendered_coverage"] >= 0.5
