"""Red light, from rendered pixels to violations: 200 vehicles at a signal, from both sides, by day, night and in rain.

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
    from devices.sim.camera.scene import Scene

SCENES = (
    (FROM_BEHIND, DAY, 40),
    (FROM_AHEAD, DAY, 40),
    (FROM_BEHIND, OVERCAST, 30),
    (FROM_AHEAD, OVERCAST, 30),
    (FROM_AHEAD, NIGHT, 20),
    (FROM_BEHIND, NIGHT, 20),
    (FROM_AHEAD, RAIN, 10),
    (FROM_BEHIND, RAIN, 10),
)
FRAMES_PER_S = 12.0
CLOCKS = (PictureClock(0.0), PictureClock(0.03), PictureClock(-0.03))
"""How wrong the pictures' UTC is, in turn: within the bound that they claim."""
UNUSABLE = (PictureClock(error_us=2_000_000), PictureClock(step_s=-8.0), PictureClock(step_s=8.0))
"""Beyond any use, or set in the middle of the scene: nobody innocent may be accused."""


def red_light_crossings(first_seed: int = 1) -> dict[str, float]:
    """`red_light_false`: violations of vehicles that ran no red light; `red_light_found`: share of those that did."""
    cv2.setNumThreads(1)
    run = found = false = 0
    for number, (layout, light, count) in enumerate(SCENES):
        judged = _judge(red_light(count, first_seed + number, layout=layout, light=light), CLOCKS[number % 3])
        run, found, false = run + len(judged.run), found + len(judged.found), false + len(judged.false)
    for clock in UNUSABLE:
        false += len(_judge(red_light(8, first_seed, layout=FROM_AHEAD), clock).false)
    return {"red_light_false": false, "red_light_found": found / run}


def _judge(scene: Scene, clock: PictureClock) -> Judged:
    with tempfile.TemporaryDirectory() as folder:
        return judge_scene(scene, Path(folder), frames_per_s=FRAMES_PER_S, clock=clock)


if __name__ == "__main__":
    for name, value in red_light_crossings(int(sys.argv[1]) if len(sys.argv) > 1 else 1).items():
        sys.stdout.write(f"{name:24}{value:8.4f}\n")
