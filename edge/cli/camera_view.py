"""`wayside camera view`: what a camera makes of its video, drawn over it."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge.cli.exits import DONE, CannotTryError, add_verb, print_json, print_line, seconds
from edge.cli.progress import ProgressLine
from ledger_sync.proof.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.figures import Figures
    from devices.camera.frame import Frame, Image
    from devices.camera.pipeline import Outcome, Told
    from devices.camera.source.source import Source

_CLIP, _PICTURE = (".mp4",), (".png", ".jpg", ".jpeg")
_FIRST_FRAME_S = 10.0
_CLIP_FPS = 15.0
_KM_H_IN_MM_S = 1_000_000 / 3600
_LIMIT_MAX_KM_H = 300
NEEDED = "cameras need OpenCV, NumPy and lap; install them with: pip install 'wayside[camera]'"


def add_view(camera: Any) -> None:
    """Add the verb to the noun `camera`."""
    view = add_verb(
        camera,
        "view",
        _view,
        summary="watch a camera, or a video, for a while and draw what it makes of it: lanes, vehicles, speeds",
        example="  wayside camera view rtsp://10.0.0.7/sub --calibration junction.toml --seconds 60 -o clip.mp4\n"
        "  wayside camera view recording.mp4 --calibration junction.toml --limit 50 -o last.png --json",
    )
    view.add_argument("source", metavar="PLACE", help="a camera's URL, /dev/videoN, or a video file")
    view.add_argument("--calibration", type=Path, required=True, metavar="FILE", help="the calibration (TOML)")
    view.add_argument("--credentials-file", type=Path, metavar="FILE", help="user:password for that URL")
    view.add_argument("--seconds", type=seconds, default=30.0, metavar="S", help="how much of it (30)")
    view.add_argument("--limit", type=_limit, metavar="KM_H", help="draw who is faster in red")
    view.add_argument(
        "-o",
        "--output",
        type=_output,
        required=True,
        metavar="FILE",
        help="a clip (.mp4), or its last frame (.png, .jpg)",
    )


def _limit(text: str) -> int:
    """Whole km/h as mm/s, rounded up: in the driver's favour."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= _LIMIT_MAX_KM_H:
        raise argparse.ArgumentTypeError(f"{text!r} must be whole km/h, up to {_LIMIT_MAX_KM_H}")
    return math.ceil(int(text) * _KM_H_IN_MM_S)


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (*_CLIP, *_PICTURE):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .mp4, .png or .jpg")
    return path


def _view(options: argparse.Namespace) -> int:
    try:
        import cv2
    except ImportError as error:
        raise CannotTryError(NEEDED) from error
    from devices.camera.calibration.calibration import load_calibration
    from devices.camera.figures import Figures
    from devices.camera.pictures.annotated import Annotator

    cv2.setNumThreads(1)
    calibration = load_calibration(options.calibration)
    source = _source(options)
    tally = _Tally(Figures(source.counters))
    annotator = None
    progress: ProgressLine[int] = ProgressLine(lambda frames: f"{frames} frames")
    with _Output(options.output) as output, progress:
        for calibrated, frame, outcome in _looked_at(options, source, calibration, tally):
            annotator = annotator or Annotator(calibrated, options.limit)
            output.add(annotator.draw(frame, outcome), frame.arrival_us)
            progress(output.frames)
    if not output.frames:
        raise CannotTryError(f"{printable(options.source)}: has no frame that can be read; name another video")
    if options.json:
        print_json({"frames": output.frames, **tally.as_json(), "output": str(options.output)})
    else:
        figures = tally.figures
        print_line(f"{output.frames} frames; {tally.counts.total()} vehicles counted")
        print_line(f"  speed zones: {figures.passages}; clock {figures.clock}, epochs {figures.epochs}")
        for (lane, direction, vehicle), count in sorted(tally.counts.items()):
            print_line(f"  lane {lane}, {direction}, {vehicle}: {count}")
        print_line(f"drawn to {printable(str(options.output))}")
    return DONE


@dataclass
class _Tally:
    """Vehicles by lane, direction and class, the speeds that were measured, and why others were not."""

    figures: Figures
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    speeds_km_h: list[float] = field(default_factory=list)

    def take(self, told: Iterable[Told]) -> None:
        for kind, data in told:
            if kind == "vehicle.count":
                for row in data["counts"]:
                    self.counts[data["lane"], data["direction"], row["class"]] += row["count"]
            elif "speed_mm_s" in data:
                self.speeds_km_h.append(round(data["speed_mm_s"] / _KM_H_IN_MM_S, 1))

    def as_json(self) -> dict[str, Any]:
        names = ("lane", "direction", "class")
        rows = [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(self.counts.items())]
        return {"counts": rows, "speeds_km_h": self.speeds_km_h, **self.figures.as_json()}


def _looked_at(
    options: argparse.Namespace, source: Source, calibration: Calibration, tally: _Tally
) -> Iterator[tuple[Calibration, Frame, Outcome]]:
    from devices.camera.pipeline import Pipeline, PipelineRules
    from devices.driver import DeviceError

    pipeline: Pipeline | None = None
    for frame in _frames(source, options.seconds):
        tally.figures.take(frame)
        if pipeline is None:
            height, width = frame.image.shape[:2]
            try:
                calibration = calibration.scaled_to(width, height)
            except ValueError as error:
                raise CannotTryError(f"{printable(str(options.calibration))}: {error}") from error
            pipeline = Pipeline(calibration, PipelineRules(1, records_passages=True))
            # A person looks, who sees whether the lines lie where they belong.
            pipeline.is_view_confirmed = True
            tally.figures.passages = pipeline.counters
        try:
            outcome = pipeline.take(frame)
        except DeviceError as error:
            raise CannotTryError(f"{options.source}: {error}") from error
        tally.take(outcome.told)
        yield calibration, frame, outcome
    if pipeline is not None:
        tally.take(pipeline.finish().told)


def _source(options: argparse.Namespace) -> Source:
    from devices.camera.source.errors import SourceError
    from devices.camera.source.settings import SourceSettings
    from devices.camera.source.source import Source

    try:
        return Source(SourceSettings(options.source, options.credentials_file, in_real_time=False))
    except SourceError as error:
        raise CannotTryError(str(error)) from error


def _frames(source: Source, seconds: float) -> Iterator[Frame]:
    """Frames of the first `seconds`."""
    from devices.camera.source.errors import SourceEndedError, SourceError

    source.start()
    try:
        first = source.newest(_FIRST_FRAME_S)
        if first is None:
            raise CannotTryError(f"no frame within {_FIRST_FRAME_S:g} s: {source.trouble or 'the camera sends none'}")
        yield first
        passed_s = 0.0
        while passed_s < seconds:
            frame = source.newest(_FIRST_FRAME_S)
            if frame is None:
                return
            passed_s = (frame.arrival_us - first.arrival_us) / 1e6
            yield frame
    except SourceEndedError:
        return
    except SourceError as error:
        raise CannotTryError(str(error)) from error
    finally:
        source.close()


class _Output:
    """A clip in which pictures come as they came, or the last of them alone."""

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self._path = path
        self._writer: Any = None
        self._written = 0
        self._last: Image | None = None
        self._next_us = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._writer is not None:
            self._writer.release()
            if kind is None:
                self._check_clip()
        elif kind is None and self._last is not None:
            self._write_picture(self._last)

    def add(self, picture: Image, arrival_us: int) -> None:
        """One more picture. Raises CannotTryError where it cannot be written."""
        self.frames += 1
        self._last = picture
        if self._path.suffix.lower() not in _CLIP:
            return
        if self._writer is None:
            self._open(picture)
            self._next_us = arrival_us
        # A clip has even steps: a picture is shown until the next one came.
        while self._next_us <= arrival_us:
            self._writer.write(picture)
            self._written += 1
            self._next_us += round(1e6 / _CLIP_FPS)

    def _open(self, picture: Image) -> None:
        import cv2

        height, width = picture.shape[:2]
        self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), _CLIP_FPS, (width, height))
        if not self._writer.isOpened():
            raise CannotTryError(f"{printable(str(self._path))}: cannot be written; name a folder that is there")

    def _check_clip(self) -> None:
        """OpenCV's writer says nothing of a disk that is full."""
        import cv2

        clip = cv2.VideoCapture(str(self._path))
        found = clip.get(cv2.CAP_PROP_FRAME_COUNT)
        clip.release()
        if found != self._written:
            self._path.unlink()
            raise CannotTryError(f"{printable(str(self._path))}: could not be written whole; make room on the disk")

    def _write_picture(self, picture: Image) -> None:
        import cv2

        _, encoded = cv2.imencode(self._path.suffix.lower(), picture)
        try:
            self._path.write_bytes(encoded.tobytes())
        except OSError as error:
            raise CannotTryError(f"{printable(str(self._path))}: {error.strerror}; name another file") from error
