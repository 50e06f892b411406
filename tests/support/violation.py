"""A speeding violation as a camera hands it over: pictures are bytes that look like pictures, the plate is known."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Any

from nacl.public import PrivateKey

from devices.camera.evidence.sets import Plate, RawFrame, RawSet, WorkingSet
from devices.camera.plates.plate_hash import plate_hash
from devices.camera.track import Box, TrackPoint
from devices.driver import Origin, Reading

PLATE = "WAY51DE"
SALT = bytes(range(32))
START_US = 1_790_000_000_000_000
CALIBRATION = b"# a calibration\n"
CROP = b"\x89PNG\r\n\x1a\n" + b"crop"
TRAFFIC, OVERSIGHT = PrivateKey(b"\x01" * 32), PrivateKey(b"\x02" * 32)
KEYS = {"traffic": bytes(TRAFFIC.public_key), "oversight": bytes(OVERSIGHT.public_key)}

SPEEDING: dict[str, Any] = {
    "lane": "1",
    "taken_us": 1_763_800_000_123_456,
    "speed_mm_s": 21_944,
    "uncertainty_mm_s": 400,
    "limit_mm_s": 13_889,
    "points": 41,
    "residual_mm": 60,
    "span_mm": 21_000,
    "clock": "rtsp",
    "class": "indicative",
    "calibration_sha256": sha256(CALIBRATION).digest(),
    "plate_sha256": plate_hash(PLATE, SALT),
}


def picture(size: int) -> bytes:
    """Bytes of a JPEG's size and randomness."""
    return b"\xff\xd8\xff" + secrets.token_bytes(size - 3)


def speeding() -> Reading:
    """The reading, still without its evidence."""
    return Reading("vehicle.speeding", SPEEDING, Origin.UNPROTECTED)


def working_set(plate: str | None = PLATE, size: int = 60_000) -> WorkingSet:
    """With the plate of SPEEDING, if no other is named."""
    return WorkingSet(picture(size), None if plate is None else Plate(plate, SALT, CROP))


def raw_set(frames: int = 3, size: int = 60_000) -> RawSet:
    """Some frames, and a track of one point each."""
    points = tuple(
        TrackPoint(us, START_US + us, 900, 1.5, us / 50_000, 640.0, 360.5, Box(1, 2, 3, 4), is_whole=True)
        for us in range(0, 40_000 * frames, 40_000)
    )
    shots = tuple(RawFrame(picture(size), point.presentation_us, point.utc_us) for point in points)
    return RawSet(shots, points, CALIBRATION, {"software": "wayside"})
