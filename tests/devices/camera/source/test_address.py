from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.camera.source.address import Transport, read_address
from devices.camera.source.errors import SourceError
from devices.camera.source.settings import SourceSettings
from devices.driver import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "p@ss:w/rd ü%"


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(f"viewer:{PASSWORD}\n")
    return path


@pytest.mark.parametrize(
    ("url", "transport", "place"),
    [
        ("rtsp://camera.lan:554/live/2", Transport.RTSP, "rtsp://camera.lan:554"),
        ("rtsp://[fe80::1]/live", Transport.RTSP, "rtsp://[fe80::1]"),
        ("http://10.0.0.9/video?user=admin&password=secret", Transport.MJPEG, "http://10.0.0.9"),
        ("tcp://10.0.0.9:5000", Transport.MPEG_TS, "tcp://10.0.0.9:5000"),
        ("/dev/video0", Transport.V4L2, "/dev/video0"),
        ("clips/road.mp4", Transport.FILE, "clips/road.mp4"),
    ],
)
def test_an_address_says_what_video_comes_over_and_shows_no_path_that_may_hold_a_password(
    url: str, transport: Transport, place: str
) -> None:
    address = read_address(SourceSettings(url))
    assert (address.transport, address.place) == (transport, place)


def test_user_and_password_stand_in_the_url_for_libavformat_alone(credentials: Path) -> None:
    address = read_address(SourceSettings("rtsp://camera.lan/live", credentials))
    assert address.url_with_credentials == "rtsp://viewer:p%40ss%3Aw%2Frd%20%C3%BC%25@camera.lan/live"
    assert PASSWORD not in repr(address) + address.place
    assert "viewer" not in repr(address) + address.place


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://viewer:secret@camera.lan/live",
        "rtsp://viewer:sec/ret@camera.lan/live",
        "rtsp://",
        "rtsp://camera.lan:65536999/",
        "ftp://camera.lan/secret",
    ],
)
def test_an_address_that_is_none_or_holds_a_password_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(SourceError, match="url: ") as refusal:
        read_address(SourceSettings(url))
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "content", [b"", b"secret", b":secret", b"\xff:secret", b"u:secret" + b"/" * 60, b"u:" + b"x" * 200]
)
def test_credentials_that_cannot_be_used_are_refused_without_quoting_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match="credentials_file") as refusal:
        read_address(SourceSettings("rtsp://camera.lan/live", path))
    assert "secret" not in str(refusal.value)


def test_a_missing_credentials_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"credentials_file .*missing: cannot be read"):
        read_address(SourceSettings("rtsp://camera.lan/live", tmp_path / "missing"))
