"""A simulated traffic camera on a real video stream, looking at a rendered road."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from devices.sim.camera.scene import Scene
from devices.sim.camera.serve_card import TestCard
from devices.sim.camera.serve_mjpeg import MjpegServer
from devices.sim.camera.serve_stream import StreamServer
from devices.sim.camera.traffic import free_flow, knocked
from devices.sim.camera.video import StreamFaults, capture_times, write_video

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.camera.pose import Image
    from devices.sim.camera.serve_stream import VideoServer
    from devices.sim.device import Placement, Truth

_VEHICLES = 12
_REBOOT_S = 3.0


class Pictures(Protocol):
    """What the camera looks at, for `duration_s`, after which it begins again."""

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""

    def render(self, t_s: float) -> Image:
        """The picture taken at `t_s` from its beginning."""


class Camera:
    """Kind `camera`: free-flowing traffic on a two-way road, rendered at 640x360, over and over.

    Options: `transport` (`rtsp`, `mpeg-ts`, `mjpeg` or `file`; the first two need the packages that serve_gstreamer.py
    names), `fps` (15), `scene` (`traffic`, or `card`: pictures that tell when they were taken), `vehicles` (12, each
    time), `timestamps` (MJPEG's parts have X-Timestamp; true), `jitter_s` (of the times of exposure), `freezes` (pairs
    of seconds of the scene between which no picture comes), `knock_at_s`, `reboot_s` (3). A file is of traffic, and has
    no truth, as nobody knows when it is played, and none of the faults but the knock.

    Faults, a picture: truncate is one that is lost, unplug a camera that loses power after it and boots. `slow_s`: how
    late a picture is sent at most. The truth has a `vehicle.passage` for each vehicle whose front passes the count line
    while the camera has power, as the road knows it: lane, direction and class.
    """

    kind: ClassVar[str] = "camera"

    def __init__(self, placement: Placement, truth: Truth) -> None:
        options = placement.options
        self._placement, self._truth = placement, truth
        self._random = random.Random(placement.seed)
        self._fps = int(options.get("fps", 15))
        self._pictures: Pictures = _pictures(placement)
        self._faults = StreamFaults(
            placement.faults.truncate,
            float(options.get("jitter_s", 0.0)),
            tuple((float(start), float(end)) for start, end in options.get("freezes", ())),
        )
        self._began_us = time.monotonic_ns() // 1000
        self._server: VideoServer | None = self._make_server(str(options.get("transport", "rtsp")))

    @property
    def server(self) -> VideoServer | None:
        """What it serves its pictures by; None for a file."""
        return self._server

    async def start(self) -> None:
        """Listen, or write the file."""
        if self._server is not None:
            await self._server.start()
        elif isinstance(self._pictures, Scene):
            await asyncio.to_thread(write_video, self._pictures, self._path(".mp4"), self._fps)
        if isinstance(self._pictures, Scene):
            self._path(".toml").write_text(self._pictures.calibration_toml(), encoding="utf-8")

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        port = self._server.url if self._server is not None else str(self._path(".mp4"))
        return {"driver": "camera", "port": port, "calibration": str(self._path(".toml"))}

    async def run(self) -> None:
        """Go on until cancelled."""
        if self._server is None:
            await asyncio.Event().wait()
            return
        try:
            while True:
                await self._play(self._server)
        finally:
            await self._server.stop()

    def _make_server(self, transport: str) -> VideoServer | None:
        if transport == "file":
            return None
        if transport == "mjpeg":
            has_times = self._placement.options.get("timestamps", True)
            return MjpegServer(self._wall_clock if has_times else None)
        picture = self._pictures.render(0.0)
        return StreamServer(transport, picture.shape[1], picture.shape[0], self._fps)

    async def _play(self, server: VideoServer) -> None:
        """The scene once."""
        began_s = time.monotonic()
        crossings = self._passages()
        seed = self._random.randrange(1 << 32)
        for t_s in capture_times(self._pictures.duration_s, self._fps, self._faults, seed):
            await asyncio.sleep(began_s + t_s - time.monotonic())
            while crossings and crossings[0][0] <= t_s:
                self._truth.add(self._placement.id, "vehicle.passage", crossings.pop(0)[1], sure=True)
            # What comes late is not made up for.
            if time.monotonic() > began_s + t_s + 1 / self._fps:
                continue
            image = await asyncio.to_thread(self._pictures.render, t_s)
            await asyncio.sleep(self._random.uniform(0, self._placement.faults.slow_s))
            server.send(image, self._stamp_us(began_s + t_s))
            if self._random.random() < self._placement.faults.unplug:
                await server.stop()
                await asyncio.sleep(float(self._placement.options.get("reboot_s", _REBOOT_S)))
                await server.start()
                crossings = [one for one in crossings if one[0] > time.monotonic() - began_s]

    def _passages(self) -> list[tuple[float, dict[str, Any]]]:
        """When fronts pass the count line (seconds of the scene), in order, and what passes."""
        if not isinstance(self._pictures, Scene):
            return []
        scene = self._pictures
        vehicles = {user.number: user for user in scene.vehicles}
        return sorted(
            (
                (one.front_s, _passage(scene, one.lane, vehicles[one.number].vehicle_class))
                for one in scene.crossings()
                if one.line == "count_line" and one.front_s is not None
            ),
            key=lambda passage: passage[0],
        )

    def _stamp_us(self, taken_s: float) -> int:
        """CLOCK_MONOTONIC (seconds) as the camera's own clock, which drifts, has it (µs)."""
        passed_us = round(taken_s * 1_000_000) - self._began_us
        return self._began_us + round(passed_us * (1 + self._placement.clock.drift_ppm / 1_000_000))

    def _wall_clock(self, stamp_us: int) -> float:
        return self._placement.clock.start.timestamp() + (stamp_us - self._began_us) / 1_000_000

    def _path(self, suffix: str) -> Path:
        return self._placement.folder / f"{self._placement.id}{suffix}"


def _pictures(placement: Placement) -> Pictures:
    options = placement.options
    if options.get("scene", "traffic") == "card":
        return TestCard()
    scene = free_flow(int(options.get("vehicles", _VEHICLES)), placement.seed)
    return knocked(scene, float(options["knock_at_s"])) if "knock_at_s" in options else scene


def _passage(scene: Scene, lane: str, vehicle_class: str) -> dict[str, Any]:
    direction = "approaching" if scene.layout.lane(lane).approaching else "departing"
    return {"lane": lane, "direction": direction, "class": vehicle_class}
