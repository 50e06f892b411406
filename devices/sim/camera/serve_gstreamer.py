"""A video server of GStreamer's: frames on standard input go out as H.264 or H.265, over RTSP or as MPEG-TS over TCP.

    /usr/bin/python3 serve_gstreamer.py rtsp h264 640 360 15 0 < frames

Arguments: `rtsp` or `mpeg-ts`, `h264` or `h265`, width, height, pictures a second (what the stream says of itself),
port of 127.0.0.1 (0: any that is free). Prints the port. A frame is eight bytes, little-endian, of CLOCK_MONOTONIC in
ns when it was taken, then its pixels (blue, green, red). Ends with its input. Runs under Debian's own Python, which
alone has its bindings: needs the packages python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-base, -good,
-bad and -ugly.
"""

from __future__ import annotations

import struct
import sys
import threading
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402 - versions come first

RTSP_PATH = "/live"
_STAMP = struct.Struct("<q")
_ENCODERS = {"h264": "x264enc", "h265": "x265enc"}
_SOURCE = (
    "appsrc name=frames is-live=true format=time max-buffers=2 leaky-type=downstream"
    " caps=video/x-raw,format=BGR,width={width},height={height},framerate={fps}/1"
    " ! videoconvert ! video/x-raw,format=I420 ! {encoder} tune=zerolatency speed-preset=ultrafast"
    " bitrate=4000 key-int-max={fps} ! {codec}parse config-interval=1"
)


class Encoders:
    """The pipelines that want frames now: one while a client of RTSP looks, and always that of MPEG-TS."""

    def __init__(self) -> None:
        self._sources: list[Any] = []

    def add(self, source: Any) -> None:
        """`source` is the `appsrc` of a pipeline."""
        self._sources.append(source)

    def push(self, taken_ns: int, pixels: bytes) -> None:
        """A frame to all of them. Its time is when it was taken, whenever it comes here."""
        for source in list(self._sources):
            base_ns = source.get_base_time()
            if source.get_state(0).state != Gst.State.PLAYING or taken_ns < base_ns:
                continue
            buffer = Gst.Buffer.new_wrapped(pixels)
            buffer.pts = taken_ns - base_ns
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                self._sources.remove(source)


def serve_rtsp(launch: str, port: int, encoders: Encoders) -> tuple[Any, int]:
    """Start an RTSP server; gives it and its port."""
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(f"( {launch} )")
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, media: encoders.add(media.get_element().get_by_name("frames")))
    server.get_mount_points().add_factory(RTSP_PATH, factory)
    server.attach(None)
    return server, server.get_bound_port()


def serve_mpeg_ts(launch: str, port: int, encoders: Encoders) -> tuple[Any, int]:
    """Start a server that sends a transport stream, from a key frame on, to who connects; gives it and its port."""
    pipeline = Gst.parse_launch(
        f"{launch} ! mpegtsmux alignment=7"
        f" ! tcpserversink name=sink host=127.0.0.1 port={port} sync=false sync-method=latest-keyframe"
        " recover-policy=keyframe units-max=2000 unit-format=buffers"
    )
    encoders.add(pipeline.get_by_name("frames"))
    pipeline.set_state(Gst.State.PLAYING)
    return pipeline, pipeline.get_by_name("sink").get_property("current-port")


def main() -> None:
    """Serve until standard input ends."""
    transport, codec, *numbers = sys.argv[1:]
    width, height, fps, port = map(int, numbers)
    Gst.init(None)
    encoders = Encoders()
    encoder = _ENCODERS[codec]
    launch = _SOURCE.format(width=width, height=height, fps=fps, encoder=encoder, codec=codec)
    if transport == "rtsp":
        launch += f" ! rtp{codec}pay name=pay0 pt=96"
    serve = serve_rtsp if transport == "rtsp" else serve_mpeg_ts
    server, bound = serve(launch, port, encoders)
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    print(bound, flush=True)  # noqa: T201 - what this program says
    while len(frame := sys.stdin.buffer.read(_STAMP.size + width * height * 3)) > _STAMP.size:
        (taken_ns,) = _STAMP.unpack_from(frame)
        encoders.push(taken_ns, frame[_STAMP.size :])
    del server


if __name__ == "__main__":
    main()
