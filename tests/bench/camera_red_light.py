"""Red light, from rendered pixels to violations: 200 vehicles at a signal by day, and some at night and in rain.

Late yellow, stopping with the front over the line, turning off, being held up behind the line, and running the light.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from devices.sim.camera.junction import FROM_AHEAD, FROM_BEHIND, red_light
from devices.sim.camera.light import DAY, NIGHT, OVERCAST, RAIN
from tests.devices.camera.red_light.rendered import Judged, PictureClock, judge_scene

if TYPE_CHECKING:
    from devices.sim.camera.layout import Layout
    from devices.sim.camera.light import Light

DRY = ((FROM_BEHIND, DAY, 50), (FROM_AHEAD, DAY, 50), (FROM_BEHIND, OVERCAST, 50), (FROM_AHEAD, OVERCAST, 50))
DARK_OR_WET = ((FROM_BEHIND, NIGHT, 6), (FROM_AHEAD, NIGHT, 6), (FROM_BEHIND, RAIN, 6), (FROM_AHEAD, RAIN, 6))
"""In which fewer are seen well enough to be accused."""
FRAMES_PER_S = 10.0
CLOCKS = (PictureClock(0.0), PictureClock(0.03), PictureClock(-0.03))
"""How wrong the pictures' UTC is, in turn: within the bound that they claim."""
UNUSABLE = (PictureClock(error_us=2_000_000), PictureClock(step_s=-8.0), PictureClock(step_s=8.0))
"""Beyond any use, or set in the middle of the scene: nobody innocent may be accused."""


def red_light_crossings(first_seed: int = 1) -> dict[str, float]:
    """`red_light_false`: violations of vehicles that ran no red light, in all scenes; `red_light_found`: of those that
    did, the share that is accused, by day; `red_light_found_dark`: the same at night and in rain.
    """
    cv2.setNumThreads(1)
    dry = [_judge(*one, first_seed + number, CLOCKS[number % 3]) for number, one in enumerate(DRY)]
    dark = [_judge(*one, first_seed + number, CLOCKS[number % 3]) for number, one in enumerate(DARK_OR_WET)]
    unusable = [_judge(FROM_AHEAD, DAY, 4, first_seed, clock) for clock in UNUSABLE]
    return {
        "red_light_false": sum(len(one.false) for one in (*dry, *dark, *unusable)),
        "red_light_found": sum(len(one.found) for one in dry) / sum(len(one.run) for one in dry),
        "red_light_found_dark": sum(len(one.found) for one in dark) / sum(len(one.run) for one in dark),
    }


def _judge(layout: Layout, light: Light, vehicles: int, seed: int, clock: PictureClock) -> Judged:
    with tempfile.TemporaryDirectory() as folder:
        scene = red_light(vehicles, seed, layout=layout, light=light)
        return judge_scene(scene, Path(folder), frames_per_s=FRAMES_PER_S, clock=clock)


if __name__ == "__main__":
    for name, value in red_light_crossings(int(sys.argv[1]) if len(sys.argv) > 1 else 1).items():
        sys.stdout.write(f"{name:24}{value:8.4f}\n")
