from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.camera.source.multipart import HEAD_BYTES_MAX, PART_BYTES_MAX, Multipart, Part

START, END = b"\xff\xd8", b"\xff\xd9"
jpegs = st.binary(max_size=300).filter(lambda body: b"--frame" not in body).map(lambda body: START + body + END)
stamps = st.none() | st.integers(0, 10**12 * 1_000_000 - 1)


def part(jpeg: bytes, stream_us: int | None, *, has_length: bool = True, line_end: bytes = b"\r\n") -> bytes:
    lines = [b"--frame", b"Content-Type: image/jpeg"]
    if has_length:
        lines.append(b"Content-Length: %d" % len(jpeg))
    if stream_us is not None:
        lines.append(b"X-Timestamp: %d.%06d" % divmod(stream_us, 1_000_000))
    return line_end.join([*lines, b"", jpeg, b""])


def fed(stream: bytes, cuts: list[int], boundary: str = "frame") -> tuple[list[Part], Multipart]:
    multipart = Multipart(boundary)
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [one for start, end in pairwise(places) for one in multipart.feed(stream[start:end])], multipart


@given(
    st.lists(st.tuples(jpegs, stamps), max_size=5),
    st.sampled_from([{}, {"has_length": False}, {"line_end": b"\n"}, {"has_length": False, "line_end": b"\n"}]),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_pictures_come_out_as_they_were_sent_however_the_stream_is_cut(
    sent: list[tuple[bytes, int | None]], form: dict[str, Any], cuts: list[int]
) -> None:
    stream = b"".join(part(*one, **form) for one in sent) + b"--frame--\r\n"
    parts, multipart = fed(stream, cuts)
    assert [tuple(one) for one in parts] == sent
    assert multipart.damaged == 0


@given(
    st.lists(st.binary(max_size=200) | st.sampled_from([b"--frame", b"\r\n\r\n", START, END, b"Content-Length: 9"])),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_any_bytes_give_only_pictures_and_the_same_ones_however_they_are_cut(
    pieces: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(pieces)
    parts, multipart = fed(stream, cuts)
    whole, at_once = fed(stream, [])
    assert (parts, multipart.damaged) == (whole, at_once.damaged)
    assert all(one.jpeg.startswith(START) and one.jpeg.endswith(END) for one in parts)


@given(st.binary(max_size=300).filter(lambda noise: b"--frame" not in noise))
def test_after_any_noise_the_next_picture_is_found(noise: bytes) -> None:
    jpeg = START + b"picture" + END
    parts, _ = fed(noise + b"\r\n" + part(jpeg, None), [])
    assert parts == [Part(jpeg, None)]


def test_a_picture_with_its_length_is_given_before_the_next_part_begins() -> None:
    jpeg = START + b"picture" + END
    assert Multipart("frame").feed(part(jpeg, None)[:-2]) == [Part(jpeg, None)]


def test_a_boundary_may_be_told_with_the_hyphens_that_the_parts_have() -> None:
    jpeg = START + b"picture" + END
    assert fed(part(jpeg, 5), [], boundary="--frame")[0] == [Part(jpeg, 5)]


@pytest.mark.parametrize("length", [b"3", b"40", b"99999999"], ids=["too short", "too long", "beyond any camera"])
def test_a_wrong_length_costs_one_picture_and_is_counted(length: bytes) -> None:
    bad = b"--frame\r\nContent-Length: " + length + b"\r\n\r\n" + START + b"first picture" + END + b"\r\n"
    jpeg = START + b"second" + END
    parts, multipart = fed(bad + part(jpeg, None), [])
    assert parts == [Part(jpeg, None)]
    assert multipart.damaged == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", START + b"cut off", b"no start" + END],
    ids=["empty", "a page", "cut", "headless"],
)
def test_what_is_no_picture_is_left_out_and_counted(body: bytes) -> None:
    parts, multipart = fed(part(body, None), [])
    assert parts == []
    assert multipart.damaged == 1


@pytest.mark.parametrize("told", [b"yesterday", b"-1.0", b"1e9", b"1234567890123.0", b"1.2.3"])
def test_a_time_that_is_none_is_no_time(told: bytes) -> None:
    jpeg = START + b"picture" + END
    stream = b"--frame\r\nX-Timestamp: " + told + b"\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg
    assert fed(stream, [])[0] == [Part(jpeg, None)]


@pytest.mark.parametrize("endless", [b"x", b"--frame\r\nx", b"--frame\r\n\r\nx"], ids=["no part", "a head", "a body"])
def test_no_stream_fills_the_memory(endless: bytes) -> None:
    multipart = Multipart("frame")
    multipart.feed(endless)
    for _ in range(12):
        multipart.feed(b"x" * (1 << 20))
        assert len(multipart._buffer) <= HEAD_BYTES_MAX + PART_BYTES_MAX + (1 << 20)
