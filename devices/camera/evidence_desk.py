"""From a violation and its pictures to sealed evidence and the reading that names it, in a thread of its own.

Reading a plate takes as long as many frames: counting does not wait for it.
"""

from __future__ import annotations

import queue
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2

from devices.camera.evidence.errors import EvidenceError
from devices.camera.evidence.sets import Plate, RawFrame, RawSet, WorkingSet
from devices.camera.exhibits import give_way
from devices.camera.pictures.boxes import boxes_at
from devices.camera.pictures.working import Kept, working_picture
from devices.camera.plates.plate_hash import plate_hash
from devices.camera.plates.voting import vote
from devices.driver import Origin, Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from devices.camera.evidence.store import EvidenceStore
    from devices.camera.exhibits import Exhibit
    from devices.camera.frame import Image
    from devices.camera.plates.reader import PlateReader
    from devices.camera.plates.reading import PlateReading

WAITING_MAX = 8
"""Violations that wait for their evidence; with their pictures, so not many."""
RED_LIGHT = "vehicle.red_light"
SALT_BYTES = 32
_SOFTWARE = {name: version(name) for name in ("wayside", "opencv-python-headless", "numpy")}
_MM_S_PER_KM_H = 1_000_000 / 3600


@dataclass(frozen=True, slots=True)
class DeskRules:
    """`size`: of the frames that vehicles are followed in. `place` is the device's id, as the pictures show it."""

    place: str
    size: tuple[int, int]
    calibration: bytes
    shows_people: bool


class Case(NamedTuple):
    """A violation as it comes to the desk: the event's type and data, and what shows it, once that is found."""

    type: str
    data: dict[str, Any]
    exhibit: Future[Exhibit]


class EvidenceDesk:
    """Works through cases in order. `tell` gets each reading once its evidence is durable; `warn` a sentence, or "".

    `reader` is None where plates are not read.
    """

    def __init__(
        self,
        rules: DeskRules,
        store: EvidenceStore,
        reader: PlateReader | None,
        tell: Callable[[Reading], None],
        warn: Callable[[str], None],
    ) -> None:
        self._rules, self._store, self._reader = rules, store, reader
        self._tell, self._warn = tell, warn
        self._cases: queue.Queue[Case | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def take(self, case: Case) -> None:
        """One more case. Better no event than one without evidence: too many at once are let go, and warned of."""
        try:
            self._cases.put_nowait(case)
        except queue.Full:
            self._warn("more violations at once than evidence could be kept of; some were let go")

    def close(self) -> None:
        """Work off what waits, and end."""
        self._cases.put(None)
        self._thread.join()

    def _work(self) -> None:
        give_way()
        while (case := self._cases.get()) is not None:
            exhibit = case.exhibit.result()
            if not exhibit.moments:
                self._warn(
                    "a violation had no pictures any more and was let go; this gateway is too slow for its cameras"
                )
                continue
            try:
                reading = self._kept(case.type, case.data, exhibit)
            except EvidenceError as error:
                self._warn(f"{error}; violations are let go until then")
                continue
            self._warn("")
            self._tell(reading)

    def _kept(self, kind: str, measured: dict[str, Any], exhibit: Exhibit) -> Reading:
        rules, suspect = self._rules, exhibit.suspect
        plate = self._plate(exhibit)
        data = measured if plate is None else {**measured, "plate_sha256": plate_hash(plate.text, plate.salt)}
        lines = (suspect.lane.stop_line, suspect.lane.second_line) if kind == RED_LIGHT else ()
        kept = Kept(
            suspect.track.number,
            suspect.tracks,
            rules.size,
            suspect.lane.lamp if lines else (),
            tuple(line for line in lines if line),
            rules.shows_people,
        )
        working = WorkingSet(working_picture(exhibit.moments, kept, _rows(rules.place, kind, data, exhibit)), plate)
        stills = {one.utc_us: one for one in (*exhibit.moments, *exhibit.plates)}
        frames = tuple(RawFrame(one.jpeg, one.presentation_us, one.utc_us) for _, one in sorted(stills.items()))
        facts = {"epoch": suspect.track.epoch, "clock": suspect.track.clock.value, **_SOFTWARE}
        raw = RawSet(frames, tuple(suspect.track.points), rules.calibration, facts)
        return self._store.keep(Reading(kind, data, Origin.UNPROTECTED), working, raw)

    def _plate(self, exhibit: Exhibit) -> Plate | None:
        if self._reader is None:
            return None
        readings: list[PlateReading] = []
        crops: list[Image] = []
        for still in exhibit.plates:
            crop = _crop(still.image(), exhibit, still.utc_us, self._rules.size)
            reading = self._reader.read(crop)
            if reading is not None:
                readings.append(reading)
                crops.append(crop)
        voted = vote(readings)
        if voted is None or not voted.is_published:
            return None
        widest = max(range(len(readings)), key=lambda index: readings[index].width_px)
        _, encoded = cv2.imencode(".png", _plate_crop(crops[widest], readings[widest]))
        return Plate(voted.text, secrets.token_bytes(SALT_BYTES), encoded.tobytes())


def _crop(image: Image, exhibit: Exhibit, utc_us: int, size: tuple[int, int]) -> Image:
    """The vehicle with a margin, from a picture that may be larger than the frames it was followed in."""
    height, width = image.shape[:2]
    track = exhibit.suspect.track
    box = boxes_at([track], utc_us, (width / size[0], height / size[1]))[track.number]
    margin = (box.right - box.left) // 10
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    return image[top : box.bottom + margin, left : box.right + margin]


def _plate_crop(crop: Image, reading: PlateReading) -> Image:
    xs, ys = zip(*reading.corners, strict=True)
    height, width = crop.shape[:2]
    left, right = max(0, int(min(xs)) - 4), min(width, int(max(xs)) + 5)
    top, bottom = max(0, int(min(ys)) - 4), min(height, int(max(ys)) + 5)
    return crop[top:bottom, left:right]


def _rows(place: str, kind: str, data: dict[str, Any], exhibit: Exhibit) -> list[str]:
    """What the data bar says."""
    moments = exhibit.moments
    first, last = (
        datetime.fromtimestamp(one.utc_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        for one in (moments[0], moments[-1])
    )
    rows = [f"{place}  lane {data['lane']}  {kind}  {first} UTC to {last[11:]}"]
    if kind != RED_LIGHT:
        speed, uncertainty, limit = (
            data[key] / _MM_S_PER_KM_H for key in ("speed_mm_s", "uncertainty_mm_s", "limit_mm_s")
        )
        rows.append(
            f"{speed:.1f} km/h +- {uncertainty:.1f} (k=2), limit {limit:.0f}, over {data['span_mm'] / 1000:.1f} m"
        )
    else:
        rows.append(
            f"red for {data['red_ms'] / 1000:.2f} s at the stop line, second line {data['crossing_ms']} ms later"
        )
    rows.append(f"{data['class']}  clock {data['clock']}  calibration {data['calibration_sha256'].hex()[:16]}")
    return rows
