"""The driver of a camera with its real process, which plays rendered clips and reads real streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devices.camera import driver as driver_module
from devices.camera.calibration.view_reference import view_file
from devices.camera.driver import Camera
from devices.camera.evidence.folder import RECORDED, REFUSED, evidence_folders
from devices.camera.evidence.store import EvidenceStore
from devices.camera.pipe import PLAYED, Assignment, event_line, parse_report
from devices.camera.settings import CameraSettings, as_table
from devices.driver import (
    CommittedEvent,
    Described,
    DeviceError,
    Evidencing,
    Following,
    Impaired,
    Prepared,
    Recorded,
    Refused,
)
from tests.support.clips import LIMIT_KM_H, SMALL_POSE, Clip, confirm, one_speeding_car, write_clip
from tests.support.video import running_camera
from tests.support.violation import KEYS, raw_set, working_set
from tests.support.violation import speeding as speeding_reading
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading

DEADLINE_S = 30.0
MEMORY_MAX_KB = 200 << 10
CARD_CALIBRATION = """\
[frame]
width_px = 640
height_px = 360
[[lane]]
id = "1"
count_line = [[100, 200], [500, 200]]
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return one_speeding_car(tmp_path_factory.mktemp("clip"))


def camera(clip: Clip, folder: Path, **keys: Any) -> Camera:
    """A camera that holds the limit, and keeps its evidence in `folder`."""
    settings = {"count_interval_s": 2, "speed_limit_km_h": LIMIT_KM_H, **keys}
    made = Camera("cam-1", CameraSettings(port=str(clip.video), calibration=clip.calibration, **settings))
    made.use_evidence(folder, KEYS)
    return made


def process_of(one: Camera) -> asyncio.subprocess.Process:
    assert one._process is not None
    return one._process._process


@contextlib.asynccontextmanager
async def opened(one: Camera) -> AsyncIterator[Camera]:
    async with asyncio.timeout(DEADLINE_S):
        try:
            await one.open()
            process = process_of(one)
            yield one
        finally:
            await one.close()
        assert process.returncode is not None


async def reason(one: Camera) -> str:
    """Why it is lost, at once or as soon as it is read."""
    try:
        async with opened(one):
            async for _ in one.readings():
                pass
    except DeviceError as error:
        return str(error)
    raise AssertionError("it is not lost")


@contextlib.asynccontextmanager
async def heard(one: Camera) -> AsyncIterator[list[Reading]]:
    """An open camera, and what it says meanwhile."""
    said: list[Reading] = []

    async def listen() -> None:
        async for reading in one.readings():
            said.append(reading)  # noqa: PERF401 - they are looked at while more come

    async with opened(one):
        task = asyncio.create_task(listen())
        try:
            yield said
        finally:
            if task.done():
                task.result()
            task.cancel()
            await asyncio.wait([task])


def is_played(one: Camera) -> bool:
    return PLAYED in one.impairment


def of_type(said: list[Reading], kind: str) -> list[Reading]:
    return [reading for reading in said if reading.type == kind]


def test_it_has_the_abilities_that_a_gateway_asks_for(clip: Clip, tmp_path: Path) -> None:
    one = camera(clip, tmp_path)
    assert all(isinstance(one, ability) for ability in (Evidencing, Following, Described, Impaired, Prepared))
    enforcing = CameraSettings(port="a.mp4", calibration=Path("a.toml"), speed_limit_km_h=50)
    assert Camera.evidence_roles(enforcing) == ("traffic", "oversight")
    assert Camera.evidence_roles(replace(enforcing, speed_limit_km_h=None)) == ()
    assert Camera.follows(replace(enforcing, signal="signal-1", signal_group="2")) == "signal-1"


async def test_a_speeding_car_is_told_once_with_its_evidence_and_counted(clip: Clip, tmp_path: Path) -> None:
    one = camera(clip, tmp_path / "evidence", record_passages=True)
    one.use_passport({"class": "approved", "approval": "A-1", "calibration": {"expires": "2099-12-31"}})
    async with heard(one) as said:
        await until(lambda: is_played(one), "the clip was played")
        peak_kb, cpu_s = _memory_peak_kb(process_of(one).pid), _cpu_s(process_of(one).pid)
        (told,) = of_type(said, "vehicle.speeding")
        (truth_m_s,) = clip.speeders_m_s
        assert abs(told.data["speed_mm_s"] / 1000 - truth_m_s) <= told.data["uncertainty_mm_s"] / 1000
        assert told.data["class"] == "approved"
        (passage,) = of_type(said, "vehicle.passage")
        assert passage.data["speed_mm_s"] == told.data["speed_mm_s"]
        counts = [row["count"] for one in of_type(said, "vehicle.count") for row in one.data["counts"]]
        assert sum(counts) == 1
        figures = one.counters.figures
        assert (figures["measured"], figures["refused"], figures["let_go"]) == (1, {}, {})
        assert (figures["clock"], figures["epochs"], figures["stream"]["dropped"]) == ("container", 1, 0)
        assert figures["stream"]["frames"] == pytest.approx(25 * (clip.end_s - clip.start_s), abs=2)
        assert f"{PLAYED}: measured 1, refused 0, let go 0, undecided 0; " in one.impairment
        (folder,) = evidence_folders(tmp_path / "evidence")
        assert folder.name == told.id
        assert not (folder / RECORDED).exists()
        await one.answer(told, Recorded())
        assert (folder / RECORDED).exists()
    assert peak_kb <= MEMORY_MAX_KB
    assert cpu_s < clip.end_s - clip.start_s, "less than a core, with decoding, evidence and the start"


def _memory_peak_kb(pid: int) -> int:
    if sys.platform != "linux":
        return 0
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _cpu_s(pid: int) -> float:
    if sys.platform != "linux":
        return 0.0
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / float(os.sysconf("SC_CLK_TCK"))


async def test_a_camera_that_counts_asks_for_nothing_and_keeps_nothing(clip: Clip, tmp_path: Path) -> None:
    view_file(clip.calibration).rename(tmp_path / "kept.view")
    one = camera(clip, tmp_path / "evidence", speed_limit_km_h=None)
    try:
        async with heard(one) as said:
            await until(lambda: is_played(one), "the clip was played")
    finally:
        (tmp_path / "kept.view").rename(view_file(clip.calibration))
    assert {reading.type for reading in said} == {"vehicle.count"}
    assert all(reading.id is None and reading.evidence == () for reading in said)
    assert not (tmp_path / "evidence").exists()


async def test_what_nobody_has_recorded_is_told_first_each_time_until_it_is_answered(
    clip: Clip, tmp_path: Path
) -> None:
    kept = [EvidenceStore(tmp_path, KEYS).keep(speeding_reading(), working_set(), raw_set()) for _ in range(2)]
    one = camera(clip, tmp_path)
    for outcome, mark in ((None, None), (Recorded(), RECORDED), (Refused("too late"), REFUSED)):
        async with opened(one):
            readings = one.readings()
            first = [await anext(readings) for _ in kept]
            assert [(reading.id, reading.evidence) for reading in first] == [(it.id, it.evidence) for it in kept]
            if outcome is not None and mark is not None:
                done = kept.pop(0)
                await one.answer(done, outcome)
                assert (tmp_path / str(done.id) / mark).exists()


async def test_a_process_that_is_killed_is_a_lost_device_and_is_opened_again(clip: Clip, tmp_path: Path) -> None:
    one = camera(clip, tmp_path)
    one.impairment, one.is_at_work = "left over", True
    async with opened(one):
        assert (one.impairment, one.is_at_work) == ("", False)
        os.kill(process_of(one).pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="cam-1: its process ended by signal 9; it is started again"):
            async for _ in one.readings():
                pass
    async with opened(one):
        process_of(one).send_signal(signal.SIGSTOP)  # close is in time, whatever the process does
    await one.close()
    with pytest.raises(DeviceError, match="not open"):
        await anext(one.readings())


async def test_without_the_extra_there_is_one_clear_sentence(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "find_spec", lambda name: None if name == "cv2" else object())
    with pytest.raises(DeviceError, match="needs cv2; install Wayside with its extra `camera`"):
        await camera(clip, tmp_path).open()
    settings = CameraSettings(port=str(clip.video), calibration=clip.calibration)
    assert Camera.unprepared(settings) == ("needs cv2; install Wayside with its extra `camera`",)


async def test_pictures_that_stop_are_an_impairment_until_they_come_again(tmp_path: Path) -> None:
    calibration = tmp_path / "card.toml"
    calibration.write_text(CARD_CALIBRATION)
    async with running_camera(tmp_path, "mjpeg") as stream:
        assert stream.server is not None
        settings = CameraSettings(port=stream.settings()["port"], calibration=calibration, count_interval_s=1)
        one = Camera("cam-1", settings)
        async with heard(one) as said:
            assert not one.is_at_work
            await until(lambda: one.is_at_work, "a picture came")
            await until(lambda: said, "counts came")
            assert one.impairment == ""
            await stream.server.stop()
            await until(lambda: one.impairment.startswith("no pictures: http://127.0.0.1"), "it was told")
            await stream.server.start()
            await until(lambda: one.impairment == "", "it was told that this is over")
            before = len(said)
            await until(lambda: len(said) > before, "counts came again")
        assert one.counters.errors > 0


async def test_a_view_that_was_moved_measures_nobody_and_goes_on_counting(clip: Clip, tmp_path: Path) -> None:
    moved = replace(SMALL_POSE, pan_deg=SMALL_POSE.pan_deg + 0.5)
    other = write_clip(tmp_path / "moved", replace(clip.scene, pose=moved), start_s=clip.start_s, end_s=clip.end_s)
    other.calibration.write_bytes(clip.calibration.read_bytes())
    shutil.copy(view_file(clip.calibration), view_file(other.calibration))
    one = camera(other, tmp_path / "evidence", record_passages=True)
    sentences = set()
    async with heard(one) as said:
        while not is_played(one):
            sentences.add(one.impairment)
            await asyncio.sleep(0.05)
    assert any("the camera was moved: nobody is measured or accused; " in sentence for sentence in sentences)
    assert one.counters.figures["let_go"] == {"unmeasured_view": 1}
    assert {reading.type for reading in said} == {"vehicle.count"}
    assert evidence_folders(tmp_path / "evidence") == []


async def test_a_view_that_is_confirmed_anew_is_what_the_camera_begins_again_with(clip: Clip, tmp_path: Path) -> None:
    own = replace(clip, video=Path(shutil.copy(clip.video, tmp_path)), calibration=tmp_path / "road.toml")
    shutil.copy(clip.calibration, own.calibration)
    why = await reason(camera(own, tmp_path / "evidence"))
    assert "road.view: cannot be read" in why
    assert "`wayside camera calibrate --confirm`" in why
    confirm(own, own.scene)
    one = camera(own, tmp_path / "evidence")
    async with opened(one):
        readings = one.readings()
        await anext(readings)
        confirm(own, own.scene)
        with pytest.raises(DeviceError, match=r"road\.view: was written anew; the camera begins again with it"):
            async for _ in readings:
                pass


LACKING = {
    "no survey": ("survey", {"speed_limit_km_h": 50}, "has no survey"),
    "no zone": ("zone", {"speed_limit_km_h": 50}, "has no lane with a speed_zone"),
    "no stop line": ("", {"speed_limit_km_h": None, "signal": "s", "signal_group": "2"}, "has no lane with stop_line"),
}


@pytest.mark.parametrize(("left_out", "keys", "why"), LACKING.values(), ids=LACKING.keys())
async def test_a_calibration_by_which_nobody_could_be_accused_is_told_at_once(
    left_out: str, keys: dict[str, Any], why: str, clip: Clip, tmp_path: Path
) -> None:
    text = clip.calibration.read_text()
    if left_out == "survey":
        tables = ("\n" + text).split("\n[")
        text = "\n[".join(one for one in tables if not one.startswith(("[point", "[distance", "survey")))
    if left_out:
        text = "\n".join(line for line in text.splitlines() if not line.startswith("speed_zone"))
    own = replace(clip, calibration=tmp_path / "road.toml")
    own.calibration.write_text(text)
    assert f"road.toml: {why}" in await reason(camera(own, tmp_path, **keys))


async def test_a_place_that_is_no_video_is_told(clip: Clip, tmp_path: Path) -> None:
    no_video = tmp_path / "no.mp4"
    no_video.write_bytes(b"nothing")
    one = camera(replace(clip, video=no_video), tmp_path)
    assert "no.mp4: is no video file" in await reason(one)


async def test_a_process_ends_when_its_gateway_has_gone(clip: Clip) -> None:
    settings = CameraSettings(port=str(clip.video), calibration=clip.calibration)
    assignment = Assignment("cam-1", as_table(settings), 0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devices.camera.process"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            process.stdin.write(assignment.line())
            assert parse_report(await process.stdout.readline()).is_ready
            process.stdin.close()
            assert await process.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def test_a_process_that_is_started_later_is_told_that_the_signal_is_offline(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = camera(clip, tmp_path)
    told: list[bytes] = []
    monkeypatch.setattr("devices.camera.child.CameraProcess.tell", lambda _, line: told.append(line))

    def event(kind: str, number: int) -> CommittedEvent:
        return CommittedEvent("signal-1", kind, {"state": "offline"}, bytes(16), number, number, None)

    events = [event(kind, number) for number, kind in enumerate(["device.health", "signal.phase", "gateway.heartbeat"])]
    for each in events:
        one.follow(each)
    assert told == []
    monkeypatch.setattr(driver_module, "READY_MAX_S", 0.1)
    with pytest.raises(DeviceError, match="was not ready within"):
        await one.open()
    assert told[1:] == [event_line(events[0])]
    for each in events:
        one.follow(each)
    assert told[2:] == [event_line(events[0]), event_line(events[1])]
    await one.close()
