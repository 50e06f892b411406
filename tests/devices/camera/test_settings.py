from pathlib import Path
from typing import Any

import pytest

from devices.camera.driver import Camera
from devices.camera.settings import CameraSettings, as_table, from_table
from ledger_sync.proof.settings import Problems, SettingsError, read_settings

COUNTING: dict[str, Any] = {"port": "rtsp://10.0.0.7/sub", "calibration": "junction.toml"}
FULL = COUNTING | {
    "main_stream": "rtsp://10.0.0.7/main",
    "credentials_file": "camera.credentials",
    "latency_max_ms": 400,
    "count_interval_s": 60,
    "record_passages": True,
    "speed_limit_km_h": 50,
    "speed_tolerance_km_h": 3,
    "signal": "signal-1",
    "signal_group": 2,
    "signal_component": "A",
    "grace_ms": 300,
    "signal_delay_ms": 500,
    "plate_patterns": ["AA 999 AA", "A{1,3}9{1,4}"],
    "models": "models",
    "shows_people": True,
    "evidence_size_max_mb": 512,
}


def read(table: dict[str, Any]) -> CameraSettings:
    problems = Problems()
    settings = read_settings(CameraSettings, table, problems)
    assert settings is not None, tuple(problems)
    return settings


def mistakes(**changed: Any) -> str:
    problems = Problems()
    assert read_settings(CameraSettings, COUNTING | changed, problems) is None
    return "\n".join(problems)


def test_a_camera_that_is_told_nothing_else_counts_and_keeps_nothing() -> None:
    settings = read(COUNTING)
    assert not settings.enforces
    assert settings.plate_syntax is None
    assert Camera.evidence_roles(settings) == ()
    assert Camera.follows(settings) is None


@pytest.mark.parametrize("table", [COUNTING, FULL, COUNTING | {"speed_limit_km_h": 50, "plates": "eu"}])
def test_the_process_gets_the_settings_that_the_gateway_read(table: dict[str, Any]) -> None:
    settings = read(table)
    assert from_table(as_table(settings)) == settings


def test_a_group_is_a_number_or_a_name() -> None:
    assert read(FULL).signal_group == "2"
    assert read(FULL | {"signal_group": "K1"}).signal_group == "K1"


def test_paths_are_paths() -> None:
    settings = read(FULL)
    assert settings.calibration == Path("junction.toml")
    assert settings.models == Path("models")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another kind of place": ({"port": "ftp://10.0.0.7/"}, "port: must begin with rtsp://, http:// or tcp://"),
    "a password in the address": ({"port": "rtsp://me:secret@10.0.0.7/"}, "port: holds a user or password"),
    "a main stream of a file": ({"main_stream": "main.mp4"}, "main_stream: must be rtsp:// or tcp://"),
    "a main stream with a password": ({"main_stream": "rtsp://me:secret@10.0.0.7/"}, "main_stream: holds a user"),
    "a signal without its group": ({"signal": "signal-1"}, "signal and signal_group go together"),
    "a group without its signal": ({"signal_group": 2}, "signal and signal_group go together"),
    "a group that is none": ({"signal": "signal-1", "signal_group": True}, "signal_group: must be the number or"),
    "plates of nobody": ({"plates": "eu"}, "plates are read of violations only"),
    "plates of no country": ({"speed_limit_km_h": 50, "plates": "xx"}, "no plates of 'xx' are known"),
    "a pattern that is none": ({"speed_limit_km_h": 50, "plate_patterns": ["?"]}, "'?' is no pattern of plates"),
    "no patterns": ({"speed_limit_km_h": 50, "plate_patterns": []}, "plate_patterns: must be patterns of plates"),
    "patterns of numbers": ({"speed_limit_km_h": 50, "plate_patterns": [1]}, "plate_patterns: must be texts"),
    "both": ({"speed_limit_km_h": 50, "plates": "eu", "plate_patterns": ["AA99"]}, "two ways to say it; keep one"),
    "a limit that is none": ({"speed_limit_km_h": 0}, "speed_limit_km_h"),
    "a key that is none": ({"speed_limit_kmh": 50}, "speed_limit_kmh"),
}


@pytest.mark.parametrize(("changed", "why"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_with_its_key_and_mend(changed: dict[str, Any], why: str) -> None:
    told = mistakes(**changed)
    assert why in told
    assert "secret" not in told


def test_the_process_refuses_what_the_gateway_would() -> None:
    with pytest.raises(SettingsError, match="signal and signal_group"):
        from_table({"port": "a.mp4", "calibration": "a.toml", "signal": "signal-1"})
