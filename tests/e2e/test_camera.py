"""Cameras in a whole city: what becomes an event, what of it can be opened, and what nobody can read anywhere."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from devices.camera.calibration.view_reference import view_file
from devices.camera.plates.model_files import DEFAULT_FOLDER, DETECTOR
from devices.sim.camera.enforcement import speeding
from devices.sim.camera.junction import red_light
from devices.sim.camera.serve_stream import StreamServer
from devices.sim.camera.signal_plan import LampState
from devices.sim.device import Placement, Truth
from devices.sim.signal.cycle import Step
from devices.sim.signal.ntcip import NtcipController
from edge import clock
from edge.harness.toml_text import toml_table
from edge.journal.reader import JournalReader
from ledger_sync.proof.event import CLOCK_SYNCED, ClockState, parse_event
from tests.e2e.black_box import told, until, wayside
from tests.e2e.camera_city import camera_city
from tests.support.brokers import free_port
from tests.support.clips import LIMIT_KM_H, Clip, one_speeding_car, write_clip
from tests.support.evidence_city import make_evidence_city
from tests.support.running_city import onlooker, running_gateway
from tests.support.secrets_on_disk import occurrences
from tests.support.video import needs

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.camera.scene import Scene
    from ledger_sync.proof.event import Event
    from tests.e2e.camera_city import CameraCity
    from tests.support.evidence_city import EvidenceCity

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PICTURES = {"JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF", "PNG": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "MP4": b"ftypisom"}
_DEVICE = """
[[device]]
id = "{id}"
driver = "camera"
port = "{port}"
calibration = "{calibration}"
count_interval_s = 2
"""


def device(name: str, clip: Clip, *more: str, port: str | None = None) -> str:
    """A [[device]] table; the camera plays the clip, if no other `port` is named."""
    table = _DEVICE.format(id=name, port=port or clip.video, calibration=clip.calibration)
    return table + "".join(f"{line}\n" for line in more)


def copy(clip: Clip, folder: Path) -> Clip:
    """The same clip in another place, as each camera has a port of its own."""
    folder.mkdir()
    for path in (clip.video, clip.calibration, view_file(clip.calibration)):
        shutil.copy(path, folder)
    return replace(clip, video=folder / clip.video.name, calibration=folder / clip.calibration.name)


def are_true(events: list[dict[str, object]], clip: Clip) -> bool:
    """Whether these are the speeding vehicles of the clip, each once, within the uncertainty that each states."""
    measured = [(int(str(one["speed_mm_s"])), int(str(one["uncertainty_mm_s"]))) for one in events]
    truth = clip.speeders_m_s
    return len(measured) == len(truth) and all(
        abs(speed - 1000 * true) <= uncertainty for (speed, uncertainty), true in zip(measured, truth, strict=True)
    )


async def test_a_speeding_car_is_proven_and_its_plate_is_read_by_nobody_but_the_office(tmp_path: Path) -> None:
    if not (DEFAULT_FOLDER / DETECTOR.name).exists():
        pytest.skip("the models that read plates are missing: python locks/models.py")
    clip = write_clip(tmp_path / "clip", speeding(1, 3), start_s=3.5, end_s=10.5)
    city_folder = tmp_path / "city"
    city_folder.mkdir()
    counting = copy(clip, tmp_path / "counting")
    tables = device("camera-1", clip, f"speed_limit_km_h = {LIMIT_KM_H}", 'plates = "eu"') + device(
        "camera-2", counting
    )
    with camera_city(city_folder, tables) as city:
        async with onlooker(city.broker.url) as seen:
            city.start_gateway()
            opened = await asyncio.to_thread(_opened, city, tmp_path / "opened")
            capture = b"".join(one.topic.encode() + one.payload for one in seen.messages)
        city.stop_gateway()
        city.broker.persist()
        speeders = [one for one in clip.scene.vehicles if one.behaviour == "speeding"]
        assert are_true([event["data"] for event in city.events("vehicle.speeding")], clip)
        assert opened["plate"] == speeders[0].plate.replace(" ", "")
        for camera in ("camera-1", "camera-2"):
            rows = [
                row for one in city.events("vehicle.count") if one["device"] == camera for row in one["data"]["counts"]
            ]
            assert sum(row["count"] for row in rows) == 1
        wayside("journal", "verify", "--config", city.config)
    (city_folder / "capture").write_bytes(capture)
    assert len(capture) > 500_000, "the sealed evidence is in it"
    plates = {f"{one.number} {how}": text for one in clip.scene.vehicles for how, text in _spellings(one.plate)}
    assert occurrences([city_folder], plates) == []
    assert occurrences([city_folder], PICTURES) == []
    assert not (city_folder / "var" / "evidence" / "camera-2").exists(), "a camera that counts keeps nothing"
    assert occurrences([tmp_path / "opened"], plates)
    assert {one.name for one in occurrences([tmp_path / "opened"], PICTURES)} == {"JPEG", "PNG"}


def _opened(city: CameraCity, folder: Path) -> dict[str, object]:
    """What the office and oversight see together once they and the ledger have everything; it is proven."""
    (name,) = until(city.files.kept_ids, 40)
    (event,) = until(lambda: [one for one in city.events("vehicle.speeding") if one["state"] == "receipted"])
    proof = folder.with_suffix(".cose")
    wayside("prove", "--config", city.config, event["sequence"], "-o", proof)
    opened: dict[str, object] = told(
        *("evidence", "open", city.files.kept / name, "--config", city.files.authority_config),
        *("--second", city.files.oversight_config, "--trust", city.trust, "--proof", proof, "-o", folder),
    )
    assert (opened["verified"], opened["raw_opened"], opened["data"]) == (True, True, event["data"])
    assert opened["logged_by"] is not None
    until(lambda: city.events("vehicle.count"))
    return opened


def _spellings(plate: str) -> list[tuple[str, str]]:
    return [("as it is drawn", plate), ("as it is read", plate.replace(" ", ""))]


def test_kills_of_the_gateway_and_of_its_camera_lose_no_evidence_and_double_no_event(tmp_path: Path) -> None:
    clip = one_speeding_car(tmp_path / "clip")
    city_folder = tmp_path / "city"
    city_folder.mkdir()
    lasts_s = clip.end_s - clip.start_s
    chance = random.Random(4)
    with camera_city(city_folder, device("camera-1", clip, f"speed_limit_km_h = {LIMIT_KM_H}")) as city:
        for victim in ("gateway", "camera"):  # and is started again, the camera by its gateway
            city.start_gateway()
            (camera,) = until(city.camera_processes)
            # About when the file ends the violation becomes evidence, a reading and an event.
            time.sleep(chance.uniform(lasts_s + 0.5, lasts_s + 1.5))
            if victim == "gateway":
                city.kill_gateway()
                until(partial(_has_ended, camera))
            else:
                os.kill(camera, signal.SIGKILL)
                until(partial(_another_runs, city, camera))
        before = len(city.events("vehicle.speeding"))
        until(lambda: len(city.events("vehicle.speeding")) > before and not city.unrecorded(), 40)
        until(lambda: _is_played_to_its_end(city))
        city.stop_gateway()
        events = [event["data"] for event in city.events("vehicle.speeding")]
        digests = city.files.events()
        pieces = city.files.local_ids() | city.files.kept_ids()
    assert len(events) == len(digests) == len(set(digests)) == len(pieces)
    assert 1 <= len(events) <= 3, "once each time that the car passed"
    assert all(are_true([event], clip) for event in events)


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _another_runs(city: CameraCity, pid: int) -> bool:
    return any(one != pid for one in city.camera_processes())


def _is_played_to_its_end(city: CameraCity) -> bool:
    states = [one["data"] for one in city.events("device.health") if one["device"] == "camera-1"]
    return "played to its end" in states[-1].get("reason", "")


# --- red light, over a real stream ------------------------------------------------------------------------------

SIGNAL_GROUP = 2
BEGIN_S, RED_S, END_S = 1.0, 15.0, 29.5
FPS = 15


async def test_who_runs_the_red_that_the_journal_tells_of_is_told_once_and_who_is_caught_by_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("mpeg-ts")
    # Nobody is accused by a clock that may be set at any moment, as this machine's may.
    synced = ClockState(CLOCK_SYNCED, 2_000, "kernel", authenticated=False)
    monkeypatch.setattr(clock, "read_clock_state", lambda: synced)
    scene = red_light(2, 9)
    assert sorted(one.behaviour for one in scene.vehicles) == ["blocked", "runs_red"]
    clip = write_clip(tmp_path / "clip", scene, start_s=BEGIN_S, end_s=BEGIN_S + 1)
    server = StreamServer("mpeg-ts", scene.pose.width_px, scene.pose.height_px, FPS)
    controller = NtcipController(Placement("signal-1", 1, tmp_path), Truth())
    await controller.start()
    await server.start()
    files = make_evidence_city(tmp_path / "city", free_port())
    config = files.city.gateway_config
    followed = 'signal = "signal-1"', f"signal_group = {SIGNAL_GROUP}"
    watching = device("camera-1", clip, *followed, port=server.url)
    table = toml_table("[[device]]", {"id": "signal-1", **controller.settings()})
    config.write_text(config.read_text().partition("[[device]]")[0] + table + watching)
    try:
        async with running_gateway(files.city):
            await play(scene, server, controller)
            await asyncio.to_thread(until, lambda: red_lights(files))
    finally:
        await server.stop()
        assert controller._transport is not None
        controller._transport.close()
    ((event, signal_event),) = red_lights(files)
    assert (signal_event.device, signal_event.data["group"], signal_event.data["state"]) == ("signal-1", 2, "red")
    (runner,) = (one for one in scene.vehicles if one.behaviour == "runs_red")
    truth = next(one for one in scene.crossings() if (one.number, one.line) == (runner.number, "stop_line"))
    assert event.data["lane"] == truth.lane
    assert truth.front_s is not None
    assert 0 < event.data["red_ms"] <= 1000 * (truth.front_s - RED_S) + 200
    assert len(files.local_ids()) == 1


async def play(scene: Scene, server: StreamServer, controller: NtcipController) -> None:
    """The scene over the stream, and the signal that it shows at the controller, in real time."""
    assert scene.signal is not None
    changes = [(at_s, state.value) for at_s, state in scene.signal.changes if state is not LampState.RED_YELLOW]
    began_s = time.monotonic() - BEGIN_S
    for frame in range(round((END_S - BEGIN_S) * FPS)):
        t_s = BEGIN_S + frame / FPS
        await asyncio.sleep(began_s + t_s - time.monotonic())
        while changes and changes[0][0] <= t_s:
            controller.change(Step(0, SIGNAL_GROUP, "vehicle", changes.pop(0)[1]))
        image = await asyncio.to_thread(scene.render, t_s)
        server.send(image, round((began_s + t_s) * 1_000_000))


def red_lights(files: EvidenceCity) -> list[tuple[Event, Event]]:
    """Each `vehicle.red_light`, and the event of the signal that it names."""
    with JournalReader(files.city.journal) as reader:
        events = {(one.journal, one.sequence): one for one in (parse_event(row.statement) for row in reader.events())}
    return [
        (one, events[one.data["signal"]["journal"], one.data["signal"]["sequence"]])
        for one in events.values()
        if one.type == "vehicle.red_light"
    ]
