from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.camera.source.jpeg import decode_jpeg

JPEG = cv2.imencode(".jpg", np.full((36, 64, 3), 90, np.uint8))[1].tobytes()


def test_a_picture_is_decoded_in_three_colours() -> None:
    image = decode_jpeg(JPEG)
    assert image is not None
    assert image.shape == (36, 64, 3)


def test_a_grey_picture_is_given_in_three_colours_too() -> None:
    image = decode_jpeg(cv2.imencode(".jpg", np.full((36, 64), 90, np.uint8))[1].tobytes())
    assert image is not None
    assert image.shape == (36, 64, 3)


@pytest.mark.parametrize(
    "size", [(65535, 65535), (0, 64), (8192, 4096)], ids=["bomb", "no height", "32 million pixels"]
)
def test_a_few_bytes_cannot_ask_for_more_memory_than_a_camera_would(size: tuple[int, int]) -> None:
    at = JPEG.index(b"\xff\xc0") + 5
    lying = JPEG[:at] + size[0].to_bytes(2) + size[1].to_bytes(2) + JPEG[at + 4 :]
    assert decode_jpeg(lying) is None


@given(st.binary(max_size=400) | st.integers(0, len(JPEG)).map(lambda cut: JPEG[:cut]))
def test_any_bytes_give_a_picture_or_none(data: bytes) -> None:
    image = decode_jpeg(data)
    assert image is None or image.ndim == 3


def test_a_frame_header_that_only_the_library_would_find_is_no_picture() -> None:
    at = JPEG.index(b"\xff\xc0")
    header = JPEG[at : at + 2 + int.from_bytes(JPEG[at + 2 : at + 4])]
    large = header[:5] + (16_000).to_bytes(2) * 2 + header[9:]
    # What is no marker to the library, is the beginning of a segment to who trusts the length behind it.
    hidden = large + b"\xff\xfe" + (2 + len(header)).to_bytes(2)
    lying = JPEG[:2] + b"\xff\x00" + (2 + len(hidden)).to_bytes(2) + hidden + header + JPEG[2:at]
    assert decode_jpeg(lying + JPEG[at + len(header) :]) is None
