"""A simulated traffic camera on a real video stream, looking at a rendered road."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from devices.sim.camera.busy_junction import busy_junction
from devices.sim.camera.passings import passings
from devices.sim.camera.scene import Scene
from devices.sim.camera.serve_card import TestCard
from devices.sim.camera.serve_mjpeg import MjpegServer
from devices.sim.camera.serve_pair import StreamPair
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
_PICTURES_OF_VIEW = 10


class Pictures(Protocol):
    """What the camera looks at, for `duration_s`, after which it begins again."""

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""

    def render(self, t_s: float) -> Image:
        """The picture taken at `t_s` from its beginning."""


class Camera:
    """Kind `camera`: a road with its traffic, rendered at 640x360, over and over.

    Options: `transport` (`rtsp`, `mpeg-ts`, `mjpeg` or `file`; the first two need the packages that serve_gstreamer.py
    names), `codec` of the first two (`h264`, or `h265`), `fps` (15), `scene` (`traffic`; `junction`: busy_junction.py,
    whose signal runs by the place's clock; `card`: pictures that tell when they were taken), `vehicles` of `traffic`
    (12, each time), `limit_km_h` (who is faster is in the truth, and the gateway is told that limit), `main_stream`
    (true: pictures of twice that size go out over a second stream) and `main_late_s` (how much later that one is; 0),
    `timestamps` (MJPEG's parts have X-Timestamp; true), `jitter_s` (of the times of exposure), `freezes` (pairs of
    seconds of the scene between which no picture comes), `knock_at_s`, `reboot_s` (3). A file is of traffic, and has no
    truth, as nobody knows when it is played, and none of the faults but the knock.

    Faults, a picture: truncate is one that is lost, unplug a camera that loses power after it and boots. `slow_s`: how
    late a picture is sent at most. The truth is what happens while the camera has power, as the road knows it: a
    `vehicle.passage` for each vehicle at the count line, a `vehicle.speeding` for each that is over the limit, and a
    `vehicle.red_light` for each that runs the signal (passings.py). Whether a picture shows enough to be sure of one is
    another matter.
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

    @property
    def calibration(self) -> Path:
        """The calibration's file; after `start`."""
        return self._path(".toml")

    async def start(self) -> None:
        """Listen, or write the file."""
        if self._server is not None:
            await self._server.start()
        elif isinstance(self._pictures, Scene):
            await asyncio.to_thread(write_video, self._pictures, self._path(".mp4"), self._fps)
        if isinstance(self._pictures, Scene):
            self.calibration.write_text(self._pictures.calibration_toml(), encoding="utf-8")

    def settings(self) -> dict[str, Any]:
        """By which a gateway reads it."""
        port = self._server.url if self._server is not None else str(self._path(".mp4"))
        settings = {"driver": "camera", "port": port, "calibration": str(self.calibration)}
        if isinstance(self._server, StreamPair):
            settings["main_stream"] = self._server.main.url
        limit = self._placement.options.get("limit_km_h")
        return settings if limit is None else {**settings, "speed_limit_km_h": limit}

    def view(self) -> list[Image]:
        """Pictures of all its scene: what a technician confirms the view by."""
        return [self._pictures.render(float(t)) for t in np.linspace(0, self._pictures.duration_s, _PICTURES_OF_VIEW)]

    async def run(self) -> None:
        """Go on until cancelled."""
        if self._server is None:
            await asyncio.Event().wait()
            return
        began_s = time.monotonic()
        if isinstance(self._pictures, Scene) and self._pictures.signal is not None:
            began_s = self._placement.clock.began_s
        try:
            while True:
                await self._play(self._server, began_s)
                began_s += self._pictures.duration_s
        finally:
            await self._server.stop()

    def _make_server(self, transport: str) -> VideoServer | None:
        options = self._placement.options
        if transport == "file":
            return None
        if transport == "mjpeg":
            return MjpegServer(self._wall_clock if options.get("timestamps", True) else None)
        height_px, width_px = self._pictures.render(0.0).shape[:2]
        codec = str(options.get("codec", "h264"))
        stream = StreamServer(transport, width_px, height_px, self._fps, codec)
        if not options.get("main_stream"):
            return stream
        small = StreamServer(transport, width_px // 2, height_px // 2, self._fps, codec)
        return StreamPair(stream, small, float(options.get("main_late_s", 0.0)))

    async def _play(self, server: VideoServer, began_s: float) -> None:
        """The scene once, as far as it is not over yet."""
        limit = self._placement.options.get("limit_km_h")
        happens = await asyncio.to_thread(passings, self._pictures, limit) if isinstance(self._pictures, Scene) else []
        happens = [one for one in happens if one.t_s > time.monotonic() - began_s]
        seed = self._random.randrange(1 << 32)
        for t_s in capture_times(self._pictures.duration_s, self._fps, self._faults, seed):
            await asyncio.sleep(began_s + t_s - time.monotonic())
            while happens and happens[0].t_s <= t_s:
                happened = happens.pop(0)
                self._truth.add(self._placement.id, happened.kind, happened.data, sure=True)
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
                happens = [one for one in happens if one.t_s > time.monotonic() - began_s]

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
    name = options.get("scene", "traffic")
    if name == "card":
        return TestCard()
    count = int(options.get("vehicles", _VEHICLES))
    scene = busy_junction(placement.seed) if name == "junction" else free_flow(count, placement.seed)
    if options.get("main_stream"):
        pose = scene.pose
        larger = replace(pose, width_px=2 * pose.width_px, height_px=2 * pose.height_px, focal_px=2 * pose.focal_px)
        scene = replace(scene, pose=larger)
    return knocked(scene, float(options["knock_at_s"])) if "knock_at_s" in options else scene
