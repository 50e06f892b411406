"""A camera's view confirmed, as a technician does who looks at its pictures: without that it measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.confirmation import confirm_view
from devices.camera.calibration.view_reference import view_file
from devices.sim.camera.camera import Camera

if TYPE_CHECKING:
    from devices.sim.device import SimulatedDevice


def confirm(device: SimulatedDevice) -> None:
    """Confirm what a simulated camera that has been started looks at: some seconds of work."""
    assert isinstance(device, Camera)
    reference = confirm_view(device.view(), load_calibration(device.calibration).sha256)
    reference.save(view_file(device.calibration))
