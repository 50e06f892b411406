from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from devices.camera.frame import ClockClass
from devices.camera.source.errors import SourceError
from devices.camera.source.main_stream import MainStream
from devices.camera.source.packets import Packet, Packets
from devices.camera.source.settings import SourceSettings
from devices.camera.source.timeline import Moment
from devices.sim.camera.serve_card import taken_us_of
from tests.support.video import running_camera
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

PERIOD_US = 100_000


@pytest.mark.parametrize("transport", ["rtsp", "mpeg-ts"])
async def test_a_picture_of_the_last_seconds_is_found_by_its_utc(tmp_path: Path, transport: str) -> None:
    async with running_camera(tmp_path, transport, jitter_s=0.01) as camera:
        stream = MainStream(SourceSettings(camera.settings()["port"]))
        stream.start()
        await until(lambda: len(stream._packets._packets) > 45, "pictures were kept")
        # The first second of them comes all at once, late.
        packets = [one for one in list(stream._packets._packets)[20:] if one.moment is not None]
        frames = []
        for kept in packets[::3]:
            assert kept.moment is not None
            frame = await asyncio.to_thread(stream.frame_at, kept.moment.utc_us)
            assert frame is not None
            assert frame[1:] == kept.moment
            frames.append(frame)
        delays = [frame.arrival_us - taken_us_of(frame.image) for frame in frames]
        # Another picture than that of the packet would be late or early by a period at least.
        assert max(delays) - min(delays) < 2 * 66_667
        taken = [taken_us_of(frame.image) for frame in frames]
        assert taken == sorted(set(taken))
        await asyncio.to_thread(stream.close)


async def test_what_is_not_there_is_no_picture() -> None:
    stream = MainStream(SourceSettings("tcp://127.0.0.1:9"))
    stream.start()
    assert stream.frame_at(0) is None
    await until(lambda: stream.counters.losses > 1, "it was tried again")
    assert stream.trouble == "tcp://127.0.0.1:9: no video there within 3000 ms"
    stream.close()


def test_only_a_compressed_stream_can_be_a_main_stream() -> None:
    with pytest.raises(SourceError, match="must come over rtsp:// or tcp://"):
        MainStream(SourceSettings("http://127.0.0.1/video"))


def packet(number: int, *, is_key: bool, stream_us: int | None = None) -> Packet:
    at = number * PERIOD_US
    moment = Moment(at, at, at, 0, 0, ClockClass.RTSP)
    return Packet(b"%10d" % number, is_key, at if stream_us is None else stream_us, at, moment)


def filled(count: int, *, keys: int = 5, keep_us: int = 10_000_000, bytes_max: int = 1000) -> Packets:
    """`count` pictures of ten bytes each, every `keys`th a key picture."""
    packets = Packets(keep_us, bytes_max)
    for number in range(count):
        packets.add(packet(number, is_key=number % keys == 0))
    return packets


def numbers(packets: Packets, utc_us: int) -> list[int]:
    run = packets.nearest(utc_us)
    return [] if run is None else [int(data) for data in run.data]


def test_a_run_begins_with_the_key_picture_and_ends_with_the_picture() -> None:
    packets = filled(20)
    assert numbers(packets, 7 * PERIOD_US + 10) == [5, 6, 7]
    assert numbers(packets, 5 * PERIOD_US) == [5]
    assert numbers(packets, 99 * PERIOD_US) == [15, 16, 17, 18, 19]


def test_the_oldest_pictures_go_by_age_and_by_bytes_with_all_that_leans_on_them() -> None:
    assert numbers(filled(20, keep_us=9 * PERIOD_US), 0) == [10]
    assert numbers(filled(20, bytes_max=120), 0) == [10]


def test_a_group_that_is_too_large_to_keep_is_not_kept_in_part() -> None:
    packets = filled(20, keys=1000, bytes_max=100)
    assert numbers(packets, 0) == []
    packets.add(packet(20, is_key=True))
    assert numbers(packets, 0) == [20]


def test_pictures_after_a_break_count_from_the_next_key_picture_on() -> None:
    packets = filled(7)
    packets.break_off()
    for number, is_key in ((7, False), (8, True), (9, False)):
        packets.add(packet(number, is_key=is_key))
    assert numbers(packets, 7 * PERIOD_US) in ([5, 6], [8])
    assert numbers(packets, 9 * PERIOD_US) == [8, 9]


def test_with_pictures_that_come_in_another_order_than_they_are_seen_none_is_guessed() -> None:
    packets = filled(6)
    packets.add(packet(6, is_key=False, stream_us=4 * PERIOD_US))
    assert numbers(packets, 6 * PERIOD_US) == []
    assert numbers(packets, 5 * PERIOD_US) == [5]
