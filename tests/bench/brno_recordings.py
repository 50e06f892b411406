"""Recordings of BrnoCompSpeed: truth and tracks as files, the surveyed road, and which track is which car.

Format and matching: J. Sochor et al., Comprehensive Data Set for Automatic Single Camera Visual Speed Measurement,
IEEE T-ITS 20 (5), 2019, and its evaluation (JakubSochor/BrnoCompSpeed, code/eval.py and code/loading.py): a car is
matched with the track that crosses the last measurement line in its lane within 0.2 s of its time.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from devices.camera.calibration.ground_plane import GroundPlane
from devices.camera.track import Box, TrackPoint

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

FRAME_SIZE = (1920, 1080)
_BORDER_PX = 10
_POINTS_MIN = 6
"""Of a track, and of it between the measurement lines; and on each side of a crossing it is a line through so many."""
_MATCH_S = 0.2
_MARK_SIGMA_PX = 3.0
_TAPE_SIGMA_M = 0.02
_TILT_SIGMA_PER_M = 0.01
"""Of the published horizon: wide, so that the surveyed distances decide."""
_ADJUSTMENTS = 8


class Car(NamedTuple):
    """What the laser gates say of a car: its mean speed between the first and the last measurement line."""

    number: int
    speed_km_h: float
    lanes: frozenset[int]
    last_line_s: float


@dataclass(frozen=True, eq=False)
class ImageTrack:
    """One published track: `pixels` (n, 2) at `frames` (n,)."""

    number: int
    frames: Array
    pixels: Array

    def points(self, frames_per_s: float) -> list[TrackPoint]:
        """As the product's own, but for what no estimator asks: the box and the wall clock."""
        times_us = np.round(self.frames / frames_per_s * 1e6).astype(int)
        at = zip(times_us.tolist(), self.pixels.tolist(), strict=True)
        return [TrackPoint(t, t, 0, 0.0, 0.0, u, v, Box(0, 0, 0, 0), is_whole=True) for t, (u, v) in at]


class Match(NamedTuple):
    """A car and the one track that is its."""

    car: Car
    track: ImageTrack


@dataclass(frozen=True)
class Recording:
    """Both files of a recording, as parsed."""

    truth: dict[str, Any]
    tracks: dict[str, Any]

    @property
    def frames_per_s(self) -> float:
        """Of the video."""
        return float(self.truth["fps"])

    @cached_property
    def lines(self) -> tuple[Array, Array]:
        """The last and the first measurement line, a u + b v + c = 0: the speed zone lies between them."""
        lines = self.truth["measurementLines"]
        return np.array(lines[0], dtype=float), np.array(lines[-1], dtype=float)

    @cached_property
    def dividers(self) -> list[Array]:
        """The lines between and beside the lanes."""
        return [np.array(line, dtype=float) for line in self.truth["laneDivLines"]]

    @cached_property
    def zone(self) -> tuple[tuple[float, float], ...]:
        """All lanes between the measurement lines, a polygon in pixels."""
        last, first = self.lines
        left, right = self.dividers[0], self.dividers[-1]
        corners = [np.cross(last, left), np.cross(last, right), np.cross(first, right), np.cross(first, left)]
        return tuple((float(u / w), float(v / w)) for u, v, w in corners)

    @cached_property
    def cars(self) -> list[Car]:
        """Those whose measured speed counts as truth."""
        return [
            Car(car["carId"], car["speed"], frozenset(car["laneIndex"]), car["intersections"][-1]["videoTime"])
            for car in self.truth["cars"]
            if car["valid"]
        ]

    @cached_property
    def plane(self) -> GroundPlane:
        """The road by the published vanishing points, fitted to all surveyed distances."""
        return _fitted(_rectified(self.tracks["camera_calibration"]), self.truth["distanceMeasurement"])

    def isolated(self) -> list[Match]:
        """Cars for which exactly one track crosses the last line in their lane in time: the others are ambiguous."""
        crossings = [(track, *crossing) for track in self._road_tracks() if (crossing := self._crossing(track))]
        found = []
        for car in self.cars:
            near = [
                track
                for track, lane, seconds in crossings
                if lane in car.lanes and abs(seconds - car.last_line_s) < _MATCH_S
            ]
            if len(near) == 1:
                found.append(Match(car, near[0]))
        return found

    def _road_tracks(self) -> list[ImageTrack]:
        """Those that stay on the road and pass between the lines, without their points at the frame's border."""
        until = max(car["intersections"][-1]["videoTime"] for car in self.truth["cars"]) * self.frames_per_s
        closed = set(self.truth.get("invalidLanes", ()))
        found = []
        for raw in self.tracks["cars"]:
            if not isinstance(raw["posX"], list) or raw["frames"][0] >= until:
                continue
            pixels = np.column_stack([raw["posX"], raw["posY"]]).astype(float)
            kept = np.all((pixels > _BORDER_PX) & (pixels < np.array(FRAME_SIZE) - _BORDER_PX), axis=1)
            track = ImageTrack(raw["id"], np.array(raw["frames"], dtype=float)[kept], pixels[kept])
            lanes = {self._lane(at) for at in track.pixels}
            if len(track.frames) < _POINTS_MIN or None in lanes or lanes & closed:
                continue
            if np.count_nonzero(_between(track.pixels, *self.lines)) >= _POINTS_MIN:
                found.append(track)
        return found

    def _lane(self, pixel: Array) -> int | None:
        for index, (left, right) in enumerate(zip(self.dividers, self.dividers[1:], strict=False)):
            if _between(pixel[None], left, right)[0]:
                return index
        return None

    def _crossing(self, track: ImageTrack) -> tuple[int, float] | None:
        """In which lane and when (s) the track passes the last line; None if it does not on the road."""
        ends = [_passage(track, line) for line in self.lines]
        lanes = [self._lane(end[0]) if end else None for end in ends]
        if ends[0] is None or lanes[0] is None or lanes[1] is None:
            return None
        return lanes[0], ends[0][1] / self.frames_per_s


def load_recording(truth: Path, tracks: Path) -> Recording:
    """From its two files, gzipped or not."""
    return Recording(_json(truth), _json(tracks))


def _json(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    return dict(json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw))


def _between(pixels: Array, one: Array, other: Array) -> npt.NDArray[np.bool_]:
    points = np.column_stack([pixels, np.ones(len(pixels))])
    return np.asarray((points @ one) * (points @ other) * (one[:2] @ other[:2]) <= 0)


def _passage(track: ImageTrack, line: Array) -> tuple[Array, float] | None:
    """Where, in pixels, and in which frame, with fraction, the points nearest to `line` pass it; also beyond them."""
    distance = np.abs(np.column_stack([track.pixels, np.ones(len(track.frames))]) @ line)
    near = np.argsort(distance, kind="stable")[:_POINTS_MIN]
    u, v = track.pixels[near].T
    if np.ptp(u) == 0.0:
        return None
    slope, offset = np.polyfit(u, v, 1)
    meeting = np.cross([slope, -1.0, offset], line)
    if meeting[2] == 0.0:
        return None
    place = meeting[:2] / meeting[2]
    along = (track.pixels[near] - place) @ np.array([1.0, slope])
    return (place, float(np.polyfit(along, track.frames[near], 1)[1])) if np.ptp(along) > 0.0 else None


def _rectified(calibration: dict[str, Any]) -> Array:
    """A homography (3, 3) to the road, up to scale, from two vanishing points at right angles and the principal point.

    R. Hartley, A. Zisserman, Multiple View Geometry in Computer Vision, 2nd ed., 2004, section 8.6.
    """
    middle = np.array(calibration["pp"][:2], dtype=float)
    first, second = (np.array(calibration[name][:2], dtype=float) - middle for name in ("vp1", "vp2"))
    focal = np.sqrt(-(first @ second))
    along = np.append(first, focal) / np.hypot(np.linalg.norm(first), focal)
    upward = np.cross(along, np.append(second, focal))
    upward /= np.linalg.norm(upward)
    rays = np.array([[1.0, 0.0, -middle[0]], [0.0, 1.0, -middle[1]], [0.0, 0.0, focal]])
    homography = np.array([along, np.cross(upward, along), upward]) @ rays
    below = np.array([middle[0], FRAME_SIZE[1], 1.0])
    return np.asarray(homography * np.sign(homography[2] @ below))


def _fitted(rectified: Array, measured: list[dict[str, Any]]) -> GroundPlane:
    """The plane whose scale and horizon fit the surveyed distances best (Gauss-Newton), with its covariance."""
    marks = np.array([[one["p1"][:2], one["p2"][:2]] for one in measured], dtype=float).reshape(-1, 2)
    metres = np.array([one["distance"] for one in measured], dtype=float)
    raw = GroundPlane(rectified, None)
    rough = np.median(metres / _lengths(raw, marks))
    middle = raw.to_ground(marks).mean(axis=0) * rough
    start = np.array([[1.0, 0.0, -middle[0]], [0.0, 1.0, -middle[1]], [0.0, 0.0, 1.0]]) @ np.diag([rough, rough, 1.0])

    def bent(by: Array) -> Array:
        scaling = np.diag([np.exp(by[0]), np.exp(by[0]), 1.0])
        tilt = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [by[1], by[2], 1.0]])
        return np.asarray(scaling @ tilt @ start @ rectified)

    def misfit(by: Array) -> Array:
        return np.asarray((_lengths(GroundPlane(bent(by), None), marks) - metres) / sigma)

    known = np.diag([0.0, _TILT_SIGMA_PER_M**-2, _TILT_SIGMA_PER_M**-2])
    bend = np.zeros(3)
    for _ in range(_ADJUSTMENTS):
        sigma = _length_sigmas(GroundPlane(bent(bend), None), marks)
        slopes = _derivatives(misfit, bend)
        covariance = np.linalg.inv(slopes.T @ slopes + known)
        bend = bend - covariance @ (slopes.T @ misfit(bend) + known @ bend)
    entries = _derivatives(lambda by: bent(by).ravel(), bend)
    return GroundPlane(bent(bend), entries @ covariance @ entries.T)


def _lengths(plane: GroundPlane, marks: Array) -> Array:
    ground = plane.to_ground(marks).reshape(-1, 2, 2)
    return np.asarray(np.linalg.norm(ground[:, 1] - ground[:, 0], axis=1))


def _length_sigmas(plane: GroundPlane, marks: Array) -> Array:
    """Standard uncertainties of surveyed distances, seen in the picture between marks set by hand."""
    squares = np.full(len(marks) // 2, _TAPE_SIGMA_M**2)
    for end, axis in ((0, 0), (0, 1), (1, 0), (1, 1)):
        moved = marks.copy()
        moved[end::2, axis] += 1.0
        squares += (_MARK_SIGMA_PX * (_lengths(plane, moved) - _lengths(plane, marks))) ** 2
    return np.asarray(np.sqrt(squares))


def _derivatives(function: Any, at: Array, step: float = 1e-6) -> Array:
    rows = [(function(at + one) - function(at - one)) / (2 * step) for one in np.eye(len(at)) * step]
    return np.stack(rows, axis=1)
