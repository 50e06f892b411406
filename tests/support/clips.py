"""Rendered clips of a road as files that a camera's driver plays, with their calibration and confirmed view.

clip = write_clip(folder, near(speeding(1, 3)), start_s=4, end_s=10)
CameraSettings(port=str(clip.video), calibration=clip.calibration, ...)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.confirmation import confirm_view
from devices.camera.calibration.view_reference import view_file
from devices.sim.camera.enforcement import PLATE_POSE, speeding
from devices.sim.camera.video import write_video

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.camera.scene import Scene

SMALL_POSE = replace(PLATE_POSE, width_px=640, height_px=360, focal_px=PLATE_POSE.focal_px / 2)
"""As near as `speeding` has it, in a quarter of the pixels: plates cannot be read, and all else is quicker."""
LIMIT_KM_H = 50


@dataclass(frozen=True, slots=True)
class Clip:
    """A video of `scene` from `start_s` to `end_s` of it."""

    scene: Scene
    video: Path
    calibration: Path
    start_s: float
    end_s: float

    @property
    def speeders_m_s(self) -> list[float]:
        """How fast those who speed truly are, in the order in which they come."""
        return [one.motion.speed_m_s for one in self.scene.vehicles if one.behaviour == "speeding"]


def write_clip(folder: Path, scene: Scene, *, start_s: float = 0.0, end_s: float | None = None) -> Clip:
    """Render it into `folder`, and confirm its view as a person would, with frames of the empty road."""
    folder.mkdir(exist_ok=True)
    end_s = scene.duration_s if end_s is None else end_s
    clip = Clip(scene, folder / "road.mp4", folder / "road.toml", start_s, end_s)
    write_video(scene, clip.video, start_s=start_s, end_s=end_s)
    clip.calibration.write_text(scene.calibration_toml())
    confirm(clip, scene)
    return clip


def confirm(clip: Clip, scene: Scene) -> None:
    """Confirm the clip's calibration by what `scene` shows."""
    frames = [scene.render(float(t_s)) for t_s in np.linspace(clip.start_s, clip.end_s, 10)]
    reference = confirm_view(frames, load_calibration(clip.calibration).sha256)
    reference.save(view_file(clip.calibration))


def one_speeding_car(folder: Path) -> Clip:
    """One car at 72 km/h on an empty road; five seconds."""
    scene = speeding(1, 3, pose=SMALL_POSE)
    alone = replace(scene, vehicles=scene.vehicles[:1], bystanders=())
    return write_clip(folder, alone, start_s=5.5, end_s=10.5)
