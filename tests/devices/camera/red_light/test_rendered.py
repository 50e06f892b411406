"""A small part of what `tests/bench/camera_red_light.py` does with 200 vehicles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.sim.camera.junction import FROM_AHEAD, FROM_BEHIND, red_light
from devices.sim.camera.light import DAY, OVERCAST
from tests.devices.camera.red_light.rendered import PictureClock, judge_scene

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.camera.layout import Layout
    from devices.sim.camera.light import Light


@pytest.mark.parametrize(("layout", "light"), [(FROM_AHEAD, DAY), (FROM_BEHIND, OVERCAST)])
def test_from_pixels_who_ran_a_red_light_is_accused_and_nobody_else(
    layout: Layout, light: Light, tmp_path: Path
) -> None:
    judged = judge_scene(red_light(4, 1, layout=layout, light=light), tmp_path, frames_per_s=10.0)
    assert judged.false == []
    assert judged.found == judged.run
    assert judged.run


def test_with_a_clock_that_is_set_back_nobody_is_accused(tmp_path: Path) -> None:
    clock = PictureClock(step_s=-8.0)
    judged = judge_scene(red_light(2, 1, layout=FROM_AHEAD), tmp_path, frames_per_s=10.0, clock=clock)
    assert (judged.false, judged.found) == ([], set())
    assert judged.run
