"""What a video source is made with: plain values, checked where they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where the video comes from, and how long to wait for it.

    `url`: `rtsp://`, `http://` (MJPEG), `tcp://` (MPEG-TS), `/dev/videoN`, or a file's path; without user and password,
    which stand in `credentials_file` as one line `user:password`. `latency_max_ms`: the longest time from the taking of
    a picture to its arrival, on an idle network; UTC's uncertainty is half of it. `in_real_time` false reads a file as
    fast as its frames are taken, none left out. Of the last frames `recent_frames_max` are kept, in at most
    `recent_bytes_max` bytes.
    """

    url: str
    credentials_file: Path | None = None
    open_timeout_ms: int = 3000
    read_timeout_ms: int = 2000
    latency_max_ms: int = 1000
    in_real_time: bool = True
    recent_frames_max: int = 0
    recent_bytes_max: int = 64 << 20
