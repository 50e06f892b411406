"""The process of one camera: `python -m devices.camera.process`, started by its driver, told what to do on stdin.

    source (a thread) → newest frame → pipeline → readings ──────────────────────→ stdout
                              └──────→ shelf ───→ evidence desk (a thread) ──────↗

It ends when stdin does, so it never outlives its gateway.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from devices.camera.calibration.calibration import load_calibration
from devices.camera.evidence.store import EvidenceStore
from devices.camera.evidence_desk import Case, DeskRules, EvidenceDesk
from devices.camera.exhibits import Exhibits
from devices.camera.figures import Figures
from devices.camera.frame_shelf import FrameShelf
from devices.camera.pace_watch import PaceWatch
from devices.camera.passage_counters import UnmeasuredWatch
from devices.camera.pipe import PLAYED, Report, parse_assignment, parse_event_line
from devices.camera.pipeline import Pipeline
from devices.camera.plates.model_files import ModelError
from devices.camera.plates.models import open_reader
from devices.camera.rules import check_calibration, measures, pipeline_rules, source_settings
from devices.camera.settings import from_table
from devices.camera.source.errors import SourceEndedError, SourceError
from devices.camera.source.main_stream import MainStream
from devices.camera.source.source import Source
from devices.camera.view_guard import ViewGuard
from devices.camera.voice import Voice
from devices.driver import DeviceError, Origin, Reading
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from devices.camera.frame import Frame
    from devices.camera.pipe import Assignment
    from devices.camera.pipeline import Outcome
    from devices.camera.plates.reader import PlateReader
    from devices.camera.settings import CameraSettings
    from devices.driver import CommittedEvent

FRAME_WAIT_S = 0.5
NO_PICTURE_US = 3_000_000
EVENTS_MAX = 256
"""Of the followed device, that wait for a picture."""
UNPROVEN_US = 20_000_000
NO_PICTURE, MAIN, VIEW, CLOCK, EVIDENCE = "picture", "main stream", "view", "clock", "evidence"
PACE, UNMEASURED = "pace", "unmeasured"
_MIB = 1 << 20


class Camera:
    """One camera at work, until its gateway has gone. Raises SettingsError and DeviceError where it cannot be."""

    def __init__(self, assignment: Assignment, voice: Voice) -> None:
        self._assignment, self._voice = assignment, voice
        self._settings = settings = from_table(dict(assignment.settings))
        self._calibration = load_calibration(settings.calibration)
        check_calibration(settings, self._calibration)
        self._rules = pipeline_rules(settings, assignment.approved_until_us)
        self._view = self._view_guard()
        self._reader = _plate_reader(settings)
        self._source = Source(source_settings(settings, settings.port))
        self._main = MainStream(source_settings(settings, settings.main_stream)) if settings.main_stream else None
        self._shelf = FrameShelf()
        self._exhibits = Exhibits(self._shelf, self._main)
        self._events: deque[CommittedEvent] = deque(maxlen=EVENTS_MAX)
        self._pipeline: Pipeline | None = None
        self._desk: EvidenceDesk | None = None
        self._picture_us = self._proven_us = time.monotonic_ns() // 1000
        self._figures = Figures(self._source.counters)
        self._pace, self._unmeasured = PaceWatch(), UnmeasuredWatch()

    def run(self) -> None:
        """Look at frames for ever. Raises SourceError where there will never be any."""
        threading.Thread(target=self._listen, name="events", daemon=True).start()
        if self._main:
            self._main.start()
        self._source.start()
        self._voice.say(Report(is_ready=True))
        while True:
            self._voice.live(self._report)
            try:
                frame = self._source.newest(FRAME_WAIT_S)
            except SourceEndedError:
                self._finish()
                return
            if frame is None:
                self._miss()
            else:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        self._picture_us = frame.arrival_us
        self._figures.take(frame)
        self._voice.warn(NO_PICTURE, "")
        if self._main:
            trouble = self._main.trouble and f"no large pictures: {self._main.trouble}"
            self._voice.warn(MAIN, trouble or self._exhibits.doubt)
        pipeline = self._pipeline_for(frame)
        self._hand_over_events()
        if self._view:
            self._view.take(frame)
            pipeline.is_view_confirmed = self._view.is_confirmed
            self._voice.warn(VIEW, self._view.doubt)
        self._watch_clock(frame)
        self._pace.take(self._source.counters, frame.arrival_us)
        self._voice.warn(PACE, self._pace.doubt)
        outcome = pipeline.take(frame)
        self._unmeasured.take(pipeline.counters)
        self._voice.warn(UNMEASURED, self._unmeasured.doubt)
        if self._rules.enforces and outcome.live:
            self._shelf.put(frame)
        self._deal_with(outcome)

    def _report(self) -> Report:
        """How the camera has fared since it began."""
        counters = self._source.counters
        return Report(errors=counters.losses + counters.damaged, figures=self._figures.as_json())

    def _watch_clock(self, frame: Frame) -> None:
        """A stream proves its clock in its first seconds; one that does not for long measures nothing."""
        if frame.clock.is_enforceable or not self._rules.enforces:
            self._proven_us = frame.arrival_us
        if frame.arrival_us - self._proven_us > UNPROVEN_US:
            self._voice.warn(CLOCK, f"nobody is accused: the stream's times are not sound (clock: {frame.clock})")
        else:
            self._voice.warn(CLOCK, "")

    def _deal_with(self, outcome: Outcome) -> None:
        for told in outcome.told:
            self._voice.tell(Reading(told.type, told.data, Origin.UNPROTECTED))
        if self._desk:
            for violation in outcome.violations:
                self._desk.take(Case(violation.type, violation.data, self._exhibits.of(violation.suspect)))
            self._exhibits.keep(outcome.suspects)

    def _pipeline_for(self, frame: Frame) -> Pipeline:
        if self._pipeline is None:
            height, width = frame.image.shape[:2]
            try:
                calibration = self._calibration.scaled_to(width, height)
            except ValueError as error:
                raise SourceError(f"{self._settings.calibration}: {error}") from error
            self._pipeline = Pipeline(calibration, self._rules)
            self._figures.passages = self._pipeline.counters
            self._desk = self._opened_desk(width, height)
            self._voice.say(Report(sees=True))
        return self._pipeline

    def _opened_desk(self, width_px: int, height_px: int) -> EvidenceDesk | None:
        assignment, settings = self._assignment, self._settings
        if assignment.folder is None:
            return None
        calibration = settings.calibration.read_bytes()
        if sha256(calibration).digest() != self._calibration.sha256:
            raise SourceError(f"{settings.calibration}: was changed while the camera began; it begins again")
        rules = DeskRules(assignment.device, (width_px, height_px), calibration, settings.shows_people)
        store = EvidenceStore(Path(assignment.folder), assignment.keys, settings.evidence_size_max_mb * _MIB)
        desk = EvidenceDesk(rules, store, self._reader, self._voice.tell, lambda one: self._voice.warn(EVIDENCE, one))
        desk.start()
        return desk

    def _view_guard(self) -> ViewGuard | None:
        if not measures(self._settings, self._calibration):
            return None
        return ViewGuard(self._settings.calibration, self._calibration.sha256)

    def _miss(self) -> None:
        self._hand_over_events()
        if time.monotonic_ns() // 1000 - self._picture_us >= NO_PICTURE_US:
            self._voice.warn(NO_PICTURE, f"no pictures: {self._source.trouble or 'the camera sends none'}")

    def _hand_over_events(self) -> None:
        while self._pipeline and self._events:
            self._pipeline.signal(self._events.popleft())

    def _finish(self) -> None:
        """A file has been played: what is open is told, and it is not played again until the next start."""
        if self._pipeline:
            self._deal_with(self._pipeline.finish())
        if self._desk:
            self._desk.close()
        self._voice.say(self._report())
        seen = f": {self._figures.passages}" if self._view else ""
        self._voice.warn(NO_PICTURE, f"{self._settings.port} {PLAYED}{seen}; the next start plays it again")
        while True:
            self._events.clear()
            self._voice.live(self._report)
            time.sleep(FRAME_WAIT_S)

    def _listen(self) -> None:
        while line := sys.stdin.buffer.readline():
            self._events.append(parse_event_line(line))
        os._exit(0)


def _plate_reader(settings: CameraSettings) -> PlateReader | None:
    """Raises ModelError."""
    syntax = settings.plate_syntax
    return None if syntax is None else open_reader(syntax, settings.models)


def main() -> None:
    """Run until stdin ends."""
    voice = Voice()
    voice.tell_defects()
    cv2.setNumThreads(1)
    assignment = parse_assignment(sys.stdin.buffer.readline())
    try:
        Camera(assignment, voice).run()
    except (SettingsError, DeviceError, ModelError) as error:
        voice.fail(str(error))


if __name__ == "__main__":
    main()
