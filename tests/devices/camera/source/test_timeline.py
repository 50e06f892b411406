from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from devices.camera.frame import ClockClass
from devices.camera.source.clocks import Clocks
from devices.camera.source.timeline import Moment, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PERIOD_US = 66_667
LATENCY_US = 300_000
LATENCY_MAX_US = 1_000_000
UTC_US = 1_800_000_000_000_000
"""UTC when CLOCK_MONOTONIC was 0."""


class Stream:
    """A camera whose pictures arrive `LATENCY_US`, and a random delay of the network, after they were taken."""

    def __init__(self, jitter_us: int = 30_000) -> None:
        self.timeline = Timeline(LATENCY_MAX_US)
        self.taken_us = 5_000_000
        self.stamp_us = 1_000
        self.rate = 1.0
        self.utc_step_us = 0
        self.delay_us = 0
        self._random, self._jitter_us = random.Random(1), jitter_us
        self._arrival_us = 0

    def picture(self, period_us: int = PERIOD_US) -> Moment | None:
        self.taken_us += period_us
        self.stamp_us += round(period_us * self.rate)
        delay_us = LATENCY_US + self.delay_us + self._random.randrange(self._jitter_us)
        self._arrival_us = max(self._arrival_us + 100, self.taken_us + delay_us)
        arrival = Clocks(self._arrival_us, self._arrival_us + UTC_US + self.utc_step_us)
        return self.timeline.place(self.stamp_us, arrival, ClockClass.RTSP)

    def play(self, seconds: float) -> list[Moment]:
        """What the pictures of that long give."""
        moments = (self.picture() for _ in range(round(seconds * 1_000_000 / PERIOD_US)))
        return [one for one in moments if one is not None]

    def sound(self) -> Stream:
        """Until its clock is known to be good."""
        assert self.play(15)[-1].clock is ClockClass.RTSP
        return self


def test_times_are_those_of_arrival_until_the_streams_clock_was_seen_to_run_true_for_ten_seconds() -> None:
    stream = Stream()
    first, second = stream.play(9.9), stream.play(5)
    assert {one.clock for one in first} == {ClockClass.ARRIVAL}
    assert all(one.presentation_us == one.arrival_us for one in first)
    assert second[-1].clock is ClockClass.RTSP
    assert second[-1].presentation_us == stream.stamp_us
    assert {one.epoch for one in first} == {0}
    assert second[-1].epoch == 1


def test_presentation_times_are_the_cameras_whatever_the_network_does() -> None:
    stream = Stream(jitter_us=60_000).sound()
    moments = stream.play(60)
    assert len(moments) == 900
    steps = {b.presentation_us - a.presentation_us for a, b in pairwise(moments)}
    assert steps == {PERIOD_US}
    assert len({one.epoch for one in moments}) == 1


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98, 1.02, 2.0])
def test_a_clock_that_runs_wrong_never_becomes_enforceable(rate: float) -> None:
    stream = Stream()
    stream.rate = rate
    assert not any(one.clock.is_enforceable for one in stream.play(90))


@pytest.mark.parametrize(("rate", "seconds"), [(0.5, 3), (0.9, 4), (1.1, 4), (0.99, 25)])
def test_a_clock_that_begins_to_run_wrong_as_at_dusk_is_found_out(rate: float, seconds: float) -> None:
    stream = Stream().sound()
    stream.rate = rate
    assert stream.play(seconds)[-1].clock is ClockClass.ARRIVAL
    assert not any(one.clock.is_enforceable for one in stream.play(30))


def test_a_clock_may_drift_as_quartz_does() -> None:
    stream = Stream()
    stream.rate = 1 + 100e-6
    stream.sound()
    assert len({(one.epoch, one.clock) for one in stream.play(600)}) == 1


def test_a_jam_of_the_network_does_not_touch_presentation_times() -> None:
    stream = Stream().sound()
    stream.delay_us = 900_000
    jam = stream.play(0.5)
    stream.delay_us = 0
    after = stream.play(20)
    assert {one.clock for one in jam + after} == {ClockClass.RTSP}
    assert len({one.epoch for one in jam + after}) == 1


def _leap(stream: Stream) -> None:
    stream.stamp_us += 700_000


def _fall(stream: Stream) -> None:
    stream.stamp_us -= 200_000


def _stall(stream: Stream) -> None:
    stream.taken_us += 2_500_000
    stream.stamp_us += 2_500_000


def _reopen(stream: Stream) -> None:
    stream.timeline.begin()
    stream.stamp_us = 0


@pytest.mark.parametrize("breaks", [_leap, _fall, _stall, _reopen])
def test_a_break_in_time_begins_an_epoch_and_the_clock_must_prove_itself_again(
    breaks: Callable[[Stream], None],
) -> None:
    stream = Stream().sound()
    before = stream.play(1)[-1]
    breaks(stream)
    first = stream.picture()
    assert first is not None
    assert (first.epoch, first.clock) == (before.epoch + 1, ClockClass.ARRIVAL)
    after = stream.play(15)
    assert {one.epoch for one in after} == {before.epoch + 1, before.epoch + 2}
    assert after[-1].clock is ClockClass.RTSP


def test_the_first_two_pictures_over_rtsp_both_say_0_and_the_wrong_one_is_forgotten() -> None:
    stream = Stream(jitter_us=1)
    stream.stamp_us = 0
    stream.picture(0)
    stream.taken_us += PERIOD_US
    stream.picture(0)
    moments = stream.play(12)
    assert moments[-1].clock is ClockClass.RTSP
    assert moments[-1].utc_us - UTC_US == stream.taken_us + LATENCY_US - LATENCY_MAX_US // 2


def test_a_picture_with_the_time_of_the_one_before_is_left_out() -> None:
    stream = Stream().sound()
    assert stream.picture(0) is None
    after = stream.picture()
    assert after is not None
    assert after.presentation_us == stream.stamp_us


def test_epochs_and_times_rise_whatever_a_stream_says() -> None:
    stream, chance = Stream(), random.Random(2)
    last = None
    for _ in range(3000):
        stream.stamp_us += chance.choice([0, 0, 1000, -1_000_000, 3_000_000]) if chance.random() < 0.02 else 0
        moment = stream.picture(chance.choice([PERIOD_US, PERIOD_US, 0, 3 * PERIOD_US]))
        if moment is not None and last is not None:
            assert moment.epoch >= last.epoch
            assert moment.epoch > last.epoch or moment.presentation_us > last.presentation_us
            assert moment.epoch > last.epoch or moment.clock is last.clock
        last = moment or last


@pytest.mark.parametrize("rate", [1.0, 1 + 100e-6, 1 - 100e-6])
@pytest.mark.parametrize("latency_us", [0, LATENCY_US, 600_000])
def test_utc_is_within_its_bound_of_when_the_picture_was_taken(rate: float, latency_us: int) -> None:
    stream = Stream()
    stream.rate = rate
    stream.delay_us = latency_us - LATENCY_US
    moments: Iterator[Moment | None] = (stream.picture() for _ in range(1500))
    for moment in moments:
        assert moment is not None
        assert abs(moment.utc_us - UTC_US - stream.taken_us) <= moment.utc_error_us
        assert moment.utc_error_us <= LATENCY_MAX_US // 2 + 100_000


def test_utc_follows_a_step_of_the_gateways_clock_and_presentation_times_do_not() -> None:
    stream = Stream().sound()
    before = stream.play(1)[-1]
    stream.utc_step_us = -3_600_000_000
    after = stream.picture()
    assert after is not None
    assert after.epoch == before.epoch
    assert after.presentation_us - before.presentation_us == PERIOD_US
    assert abs(after.utc_us - before.utc_us - PERIOD_US - stream.utc_step_us) < 1000


def test_without_times_in_the_stream_those_of_arrival_are_taken() -> None:
    timeline = Timeline(LATENCY_MAX_US)
    moments = [
        timeline.place(None, Clocks(at, at + UTC_US), ClockClass.MJPEG) for at in range(0, 20_000_000, PERIOD_US)
    ]
    assert {(one.clock, one.epoch) for one in moments if one is not None} == {(ClockClass.ARRIVAL, 0)}
    assert all(one is not None and one.presentation_us == one.arrival_us for one in moments)
