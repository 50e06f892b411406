"""A camera's main stream, of which only what evidence asks for is ever decoded.

To decode 1080p all the time costs more than everything else; to keep the last seconds as they came costs next to
nothing. A picture is found by UTC, as the two streams of a camera share no other time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.frame import Frame
from devices.camera.source.address import Transport, read_address
from devices.camera.source.capture_thread import CaptureThread
from devices.camera.source.clocks import read_clocks
from devices.camera.source.counters import SourceCounters
from devices.camera.source.errors import SourceError, StreamLostError
from devices.camera.source.opencv_capture import CLOCKS
from devices.camera.source.opencv_video import open_video, read_video
from devices.camera.source.packets import Packet, Packets
from devices.camera.source.timeline import Timeline
from devices.camera.stream_match import glimpse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devices.camera.frame import Image
    from devices.camera.source.clocks import Clocks
    from devices.camera.source.settings import SourceSettings
    from devices.camera.stream_match import Glimpse


class MainStream:
    """The last `keep_s` seconds of a stream, in at most `keep_bytes_max` bytes, over RTSP or MPEG-TS.

    Raises SourceError where the settings cannot work. `read` gives the gateway's clocks.
    """

    def __init__(
        self,
        settings: SourceSettings,
        read: Callable[[], Clocks] = read_clocks,
        *,
        keep_s: float = 10.0,
        keep_bytes_max: int = 32 << 20,
    ) -> None:
        self._settings, self._read = settings, read
        self._address = read_address(settings)
        if self._address.transport not in (Transport.RTSP, Transport.MPEG_TS):
            raise SourceError(f"{self._address.place}: a main stream must come over rtsp:// or tcp://")
        self._timeline = Timeline(settings.latency_max_ms * 1000)
        self._packets = Packets(round(keep_s * 1_000_000), keep_bytes_max)
        self.counters = SourceCounters()
        self._thread = CaptureThread(self._address.place, settings, self.counters, self._capture)

    @property
    def trouble(self) -> str | None:
        """Why nothing comes just now, in one sentence; None while it does."""
        return self._thread.trouble

    @property
    def latency_max_us(self) -> int:
        """How long a picture is on its way at most."""
        return self._settings.latency_max_ms * 1000

    def start(self) -> None:
        """Begin to capture. Called once."""
        self._thread.start()

    def frame_at(self, utc_us: int) -> Frame | None:
        """The picture that was taken nearest to `utc_us`, decoded now: up to a second of work on a core.

        Its own times tell how near. None if none is kept, or if it cannot be told which of those decoded it is. Raises
        SourceError where opening the stream anew cannot help.
        """
        self._thread.check()
        run = self._packets.nearest(utc_us)
        if run is None:
            return None
        decoded, image = 0, None
        for image in _decoded(run.data):  # noqa: B007 - the last one
            decoded += 1
        moment = run.moments[-1]
        if image is None or moment is None or decoded != len(run.data):
            self.counters.damaged += 1
            return None
        self.counters.frames += 1
        return Frame(image, *moment)

    def glimpses(self, first_us: int, last_us: int, size: tuple[int, int]) -> list[Glimpse]:
        """All pictures that were taken from one UTC to another, in grey, `size` (width, height) large, decoded now.

        Empty if it cannot be told which is which. Raises SourceError where opening the stream anew cannot help.
        """
        self._thread.check()
        run = self._packets.between(first_us, last_us)
        if run is None:
            return []
        found, decoded = [], 0
        for image in _decoded(run.data):
            moment = run.moments[decoded] if decoded < len(run.moments) else None
            decoded += 1
            if moment is not None and first_us <= moment.utc_us:
                found.append(glimpse(image, moment.utc_us, size))
        if decoded != len(run.data):
            self.counters.damaged += 1
            return []
        return found

    def close(self) -> None:
        """Stop capturing and release the stream; waits no longer than the timeouts say."""
        self._thread.close()

    def _capture(self) -> None:
        """One opening of the stream, until it is lost."""
        video = open_video(self._address, self._settings, is_compressed=True)
        try:
            self.counters.openings += 1
            self._timeline.begin()
            self._packets.break_off()
            # Parameter sets may stand in the session's description alone.
            has_head, head = video.retrieve(flag=int(video.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX)))
            while not self._thread.closing.is_set():
                self._thread.alive()
                self._take(video, head.tobytes() if has_head else b"")
        finally:
            video.release()

    def _take(self, video: cv2.VideoCapture, head: bytes) -> None:
        data = read_video(video)
        if data is None:
            raise StreamLostError(f"{self._address.place}: the stream stopped")
        arrival = self._read()
        stream_us = round(video.get(cv2.CAP_PROP_POS_MSEC) * 1000)
        moment = self._timeline.place(stream_us, arrival, CLOCKS[self._address.transport])
        is_key = video.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) == 1
        self._thread.trouble = None
        self._packets.add(Packet(head * is_key + data.tobytes(), is_key, stream_us, arrival.monotonic_us, moment))


def _decoded(pictures: tuple[bytes, ...]) -> Iterator[Image]:
    """The pictures that these are for libavformat, which finds out what they are (H.264 or H.265)."""
    # A file in memory: OpenCV's own reading from a Python object drops it without holding the interpreter's lock.
    descriptor = os.memfd_create("pictures")
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(b"".join(pictures))
        file.flush()
        video = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            while (picture := read_video(video)) is not None:
                yield np.asarray(picture, np.uint8)
        finally:
            video.release()
