"""From a camera's settings to the rules of its parts; and whether its calibration has what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.camera.pipeline import PipelineRules
from devices.camera.red_light.judge import RedLightRules
from devices.camera.source.settings import SourceSettings
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from devices.camera.calibration.calibration import Calibration
    from devices.camera.settings import CameraSettings

_KM_H_IN_MM_S = 1_000_000 / 3600


def check_calibration(settings: CameraSettings, calibration: Calibration) -> None:
    """Raises SettingsError, with all that is missing, for a calibration by which nobody could ever be accused."""
    lanes = calibration.lanes
    missing = []
    if settings.enforces and calibration.plane is None:
        missing.append("has no survey, without which nobody is accused; add [[point]] and [[distance]]")
    if settings.speed_limit_km_h is not None and not any(lane.speed_zone for lane in lanes):
        missing.append("has no lane with a speed_zone, where speed_limit_km_h would be measured; add one")
    if settings.signal is not None and not any(lane.stop_line and lane.second_line for lane in lanes):
        missing.append("has no lane with stop_line and second_line, where `signal` would be held; add them")
    if missing:
        raise SettingsError(str(settings.calibration), tuple(missing))


def measures(settings: CameraSettings, calibration: Calibration) -> bool:
    """Whether anybody is measured or accused: then a person has to have confirmed the view."""
    return settings.enforces or (settings.record_passages and calibration.plane is not None)


def pipeline_rules(settings: CameraSettings, approved_until_us: int) -> PipelineRules:
    """What is told of what is seen."""
    limit = settings.speed_limit_km_h
    red_light = None
    if settings.signal_group is not None:
        red_light = RedLightRules(
            settings.signal_group, settings.signal_component, settings.grace_ms, settings.signal_delay_ms
        )
    return PipelineRules(
        count_interval_s=settings.count_interval_s,
        records_passages=settings.record_passages,
        limit_mm_s=None if limit is None else _mm_s(limit),
        tolerance_mm_s=_mm_s(settings.speed_tolerance_km_h),
        red_light=red_light,
        approved_until_us=approved_until_us,
    )


def source_settings(settings: CameraSettings, url: str) -> SourceSettings:
    """How one of the camera's streams is read."""
    return SourceSettings(url, settings.credentials_file, latency_max_ms=settings.latency_max_ms)


def _mm_s(km_h: int) -> int:
    """Rounded up: in the driver's favour."""
    return -int(-km_h * _KM_H_IN_MM_S // 1)
