from __future__ import annotations

import json
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from devices.camera.calibration.lanes import Lane
from devices.camera.evidence.folder import evidence_folders
from devices.camera.evidence.manifest import parse_manifest
from devices.camera.evidence.sealed import open_sealed, parse_sealed
from devices.camera.evidence.sets import unpack_raw, unpack_working
from devices.camera.evidence.store import EvidenceStore
from devices.camera.evidence_desk import WAITING_MAX, Case, DeskRules, EvidenceDesk
from devices.camera.exhibits import Exhibit
from devices.camera.frame_shelf import still_of
from devices.camera.pipeline import Suspect
from devices.camera.plates.plate_hash import plate_hash
from devices.camera.plates.reading import PUBLISH_CONFIDENCE, Likelihood, PlateReading
from devices.camera.track import Box
from ledger_sync.proof.event_types import event_type
from tests.devices.camera.making import frame, point, track
from tests.support.violation import CALIBRATION, KEYS, OVERSIGHT, SPEEDING, TRAFFIC

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Image
    from devices.camera.plates.reader import PlateReader
    from devices.driver import Reading

PLATE = "WAY51DE"
RULES = DeskRules("cam-1", (64, 36), CALIBRATION, shows_people=False)
MEASURED = {key: value for key, value in SPEEDING.items() if key != "plate_sha256"}
RED_LIGHT: dict[str, Any] = {
    "lane": "1",
    "taken_us": 1_763_800_000_123_456,
    "signal": {"journal": bytes(16), "sequence": 7},
    "red_ms": 1500,
    "crossing_ms": 600,
    "clock_error_ms": 500,
    "clock": "rtsp",
    "class": "indicative",
    "calibration_sha256": bytes(32),
}


class Reader:
    """Reads the same plate in every picture, as surely as a test says."""

    def __init__(self, confidence: float) -> None:
        # By its own formula; a reading that is sure by itself stays so when several are voted on.
        self._likelihood = Likelihood(0.0 if confidence >= PUBLISH_CONFIDENCE else -3.0, 0.0)
        self._confidence = confidence

    def read(self, _image: Image) -> PlateReading:
        corners = ((2.0, 2.0), (20.0, 2.0), (20.0, 8.0), (2.0, 8.0))
        return PlateReading(PLATE, self._confidence, {PLATE: self._likelihood}, corners, 18.0)


class Office:
    """A desk with a store in `folder`, and what it said."""

    def __init__(self, folder: Path, *, confidence: float | None = None, bytes_max: int = 1 << 30) -> None:
        reader = None if confidence is None else cast("PlateReader", Reader(confidence))
        self.told: list[Reading] = []
        self.warned: list[str] = []
        store = EvidenceStore(folder, KEYS, bytes_max)
        self.desk = EvidenceDesk(RULES, store, reader, self.told.append, self.warned.append)


def case(kind: str = "vehicle.speeding", data: dict[str, Any] | None = None, *, has_pictures: bool = True) -> Case:
    seen = track(1, point(0.0, 20, 30, Box(10, 5, 40, 30)), point(1.0, 20, 30, Box(12, 6, 42, 32)))
    stills = tuple(still_of(frame(at_s, image=np.full((36, 64, 3), 90, np.uint8))) for at_s in (0.0, 1.0))
    found: Future[Exhibit] = Future()
    suspect = Suspect(seen, Lane("1"), (stills[0].utc_us, stills[1].utc_us), (seen,))
    found.set_result(Exhibit(suspect, stills if has_pictures else (), stills))
    return Case(kind, data or MEASURED, found)


def sets_of(folder: Path) -> tuple[Any, dict[str, bytes]]:
    """The working set and the raw set, opened with both keys."""
    keys = {"traffic": [TRAFFIC], "oversight": [OVERSIGHT]}
    evidence_id = parse_manifest((folder / "manifest.cbor").read_bytes()).id
    working, raw = (
        open_sealed(parse_sealed((folder / f"{name}.sealed").read_bytes()), keys) for name in ("working", "raw")
    )
    return unpack_working(working, evidence_id)[0], unpack_raw(raw, evidence_id)


def test_a_violation_becomes_evidence_and_then_a_reading_that_names_it(tmp_path: Path) -> None:
    office = Office(tmp_path, confidence=0.999)
    office.desk.start()
    office.desk.take(case())
    office.desk.close()
    (told,) = office.told
    assert event_type(told.type).check(told.data)
    (folder,) = evidence_folders(tmp_path)
    assert folder.name == told.id
    working, raw = sets_of(folder)
    assert told.data["plate_sha256"] == plate_hash(PLATE, working.plate.salt)
    assert working.plate.text == PLATE
    assert working.plate.crop.startswith(b"\x89PNG")
    assert working.picture.startswith(b"\xff\xd8\xff")
    assert raw.keys() == {"frame-01.jpg", "frame-02.jpg", "track.json", "calibration.toml"}
    assert raw["calibration.toml"] == CALIBRATION
    facts = json.loads(raw["track.json"])["facts"]
    assert facts.keys() == {"epoch", "clock", "wayside", "opencv-python-headless", "numpy"}


def test_two_violations_with_the_same_plate_cannot_be_told_by_their_hashes(tmp_path: Path) -> None:
    office = Office(tmp_path, confidence=0.999)
    office.desk.start()
    for _ in range(2):
        office.desk.take(case())
    office.desk.close()
    assert len({told.data["plate_sha256"] for told in office.told}) == 2


def test_a_plate_that_is_not_read_surely_or_not_at_all_leaves_no_hash(tmp_path: Path) -> None:
    for name, confidence in (("doubtful", 0.5), ("none", None)):
        office = Office(tmp_path / name, confidence=confidence)
        office.desk.start()
        office.desk.take(case())
        office.desk.close()
        assert "plate_sha256" not in office.told[0].data
        assert sets_of(evidence_folders(tmp_path / name)[0])[0].plate is None


def test_a_red_light_violation_is_kept_as_well(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.desk.start()
    office.desk.take(case("vehicle.red_light", RED_LIGHT))
    office.desk.close()
    assert [told.type for told in office.told] == ["vehicle.red_light"]


def test_without_pictures_there_is_no_event(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.desk.start()
    office.desk.take(case(has_pictures=False))
    office.desk.close()
    assert office.told == []
    assert "had no pictures any more" in office.warned[-1]
    assert evidence_folders(tmp_path) == []


def test_without_room_there_is_no_event_until_there_is_room_again(tmp_path: Path) -> None:
    office = Office(tmp_path, bytes_max=1)
    office.desk.start()
    office.desk.take(case())
    office.desk.close()
    assert office.told == []
    assert "see that the authority takes it" in office.warned[-1]
    mended = Office(tmp_path)
    mended.desk.start()
    mended.desk.take(case())
    mended.desk.close()
    assert mended.warned == [""]
    assert len(mended.told) == 1


def test_more_than_can_wait_are_let_go_and_told(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for _ in range(WAITING_MAX + 1):  # nobody works yet
        office.desk.take(case())
    assert office.warned == ["more violations at once than evidence could be kept of; some were let go"]
    office.desk.start()
    office.desk.close()
    assert len(office.told) == WAITING_MAX


def test_who_hands_in_a_case_does_not_wait_for_its_pictures(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.desk.start()
    waiting: Future[Exhibit] = Future()
    office.desk.take(case()._replace(exhibit=waiting))
    assert office.told == []
    waiting.set_result(case().exhibit.result())
    office.desk.close()
    assert len(office.told) == 1
