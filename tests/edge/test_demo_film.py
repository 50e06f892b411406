"""The demo's second act waits as long as something moves, and ends at once where nothing more can come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from devices.camera.pipe import PLAYED
from edge.demo import film
from edge.demo.camera import DEVICE, GATEWAY_TOML, CameraPlaces
from edge.demo.errors import DemoFailedError
from edge.demo.film import FilmWatch
from edge.demo.road import Road
from tests.edge.recording import recording, tap
from tests.support.violation import speeding

if TYPE_CHECKING:
    from pathlib import Path

    from edge.recorder import Recorder

REFUSED = f"road.mp4 {PLAYED}: measured 0, refused 1 (cut 1), let go 0, undecided 0; the next start plays it again"


@pytest.fixture
def places(tmp_path: Path) -> CameraPlaces:
    (tmp_path / GATEWAY_TOML).write_text('city = "demo"\ngateway = "gw-2"\ndata_dir = "gateway"\n')
    return CameraPlaces(tmp_path, bytes(32), Road(80.0, "AB 123"))


async def tell_health(recorder: Recorder, state: str, **more: Any) -> None:
    await recorder.record_about(DEVICE, "device.health", {"state": state, **more})
    await written(recorder)


async def written(recorder: Recorder) -> None:
    """All that was recorded before stands in the journal."""
    await recorder.record_own("gw-2", "gateway.heartbeat", {})


async def test_a_video_at_its_end_that_accuses_nobody_ends_it_with_what_the_camera_says(places: CameraPlaces) -> None:
    watch = FilmWatch(places)
    assert not watch.is_kept(), "before there is a journal"
    async with recording(places.directory / "gateway") as recorder:
        await tell_health(recorder, "online")
        assert not watch.is_kept()
        await tell_health(recorder, "impaired", reason=REFUSED)
        with pytest.raises(DemoFailedError, match=r"nobody was recorded .*says: road.mp4 .*refused 1 \(cut 1\)"):
            watch.is_kept()


async def test_evidence_that_is_on_its_way_is_waited_for_when_the_video_is_at_its_end(places: CameraPlaces) -> None:
    watch = FilmWatch(places)
    async with recording(places.directory / "gateway") as recorder:
        await recorder.record(DEVICE, speeding())
        await tell_health(recorder, "impaired", reason=REFUSED)
        assert not watch.is_kept()


async def test_what_moves_is_waited_for_and_what_stands_still_ends_it(places: CameraPlaces) -> None:
    now_s = 0.0
    watch = FilmWatch(places, lambda: now_s)
    async with recording(places.directory / "gateway") as recorder:
        await tell_health(recorder, "offline", reason="camera-1: its process ended by signal 9")
        for token in "abc":
            await recorder.record(DEVICE, tap(token=token))
            await written(recorder)
            now_s += film.STILL_MAX_S * 0.9
            assert not watch.is_kept()
        now_s += film.STILL_MAX_S * 1.1
        with pytest.raises(DemoFailedError, match=r"nobody is recorded as too fast.*ended by signal 9"):
            watch.is_kept()


async def test_what_moves_for_ever_has_an_end_too(places: CameraPlaces) -> None:
    now_s = 0.0
    watch = FilmWatch(places, lambda: now_s)
    async with recording(places.directory / "gateway") as recorder:
        await recorder.record(DEVICE, speeding())
        await written(recorder)
        now_s = film.FILM_MAX_S + 1
        with pytest.raises(DemoFailedError, match="the authority has no evidence yet, the event is open"):
            watch.is_kept()
