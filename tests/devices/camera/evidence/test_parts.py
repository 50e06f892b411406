from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.parts import PAD_BYTES, SET_BYTES_MAX, pack, unpack
from devices.camera.evidence.sets import pack_raw, pack_working, unpack_raw, unpack_working
from tests.support.violation import CALIBRATION, PLATE, SALT, picture, raw_set, working_set

ID = bytes(range(16))
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}\.[a-z0-9]{1,8}", fullmatch=True)
PARTS = st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=8)


@given(PARTS)
def test_what_is_packed_is_unpacked(parts: dict[str, bytes]) -> None:
    assert unpack(pack("working", ID, parts), "working", ID) == parts


@given(PARTS, st.data())
def test_whatever_the_bytes_nothing_but_a_format_error_is_raised(parts: dict[str, bytes], data: st.DataObject) -> None:
    packed = bytearray(pack("raw", ID, parts)[: data.draw(st.integers(0, 2 * PAD_BYTES))])
    for _ in range(data.draw(st.integers(0, 4))):
        if packed:
            packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(packed), "raw", ID)
    except EvidenceFormatError:
        return


@pytest.mark.parametrize("name", ["../picture.jpg", "a/b.jpg", "picture", ".jpg", "A.jpg", "a.jpg\n", ""])
def test_a_part_whose_name_is_no_plain_file_name_is_neither_written_nor_read(name: str) -> None:
    with pytest.raises(EvidenceFormatError, match="name or size"):
        pack("working", ID, {name: b""})
    packed = pack("working", ID, {"x" * len(name) + ".jpg": b""} if name else {"x.jpg": b""})
    with pytest.raises(EvidenceFormatError):
        unpack(packed.replace(b"x" * len(name) + b".jpg", (name + "-jpg/")[: len(name) + 4].encode()), "working", ID)


def test_the_size_tells_neither_the_length_of_a_plate_nor_whether_there_is_a_crop_of_another_size() -> None:
    photograph = picture(50_000)
    sizes = set()
    for plate in ("A", "AB12CD34EF56GH78"):
        working = working_set(plate)
        sizes.add(len(pack_working(ID, type(working)(photograph, working.plate), "vehicle.speeding", {})))
    assert len(sizes) == 1
    assert sizes.pop() % PAD_BYTES == 0


def test_the_same_set_packed_twice_has_no_digest_in_common() -> None:
    assert pack("raw", ID, {"a.b": b""}) != pack("raw", ID, {"a.b": b""})


def test_a_set_over_its_bound_is_not_packed() -> None:
    with pytest.raises(EvidenceFormatError, match="at most"):
        pack("raw", ID, {"a.jpg": bytes(SET_BYTES_MAX)})


def test_padding_holds_nothing() -> None:
    packed = pack("raw", ID, {"a.b": b"x"})
    with pytest.raises(EvidenceFormatError, match="padding"):
        unpack(packed[:-1] + b"\1", "raw", ID)
    with pytest.raises(EvidenceFormatError, match="padding"):
        unpack(packed + bytes(PAD_BYTES), "raw", ID)


def test_a_set_is_not_taken_for_another_kind_or_other_evidence() -> None:
    packed = pack("raw", ID, {"a.b": b"x"})
    for name, evidence in (("working", ID), ("raw", bytes(16))):
        with pytest.raises(EvidenceFormatError, match="another kind, or of other evidence"):
            unpack(packed, name, evidence)


def test_a_working_set_comes_back_with_plate_salt_and_the_measurement() -> None:
    working = working_set()
    back, event = unpack_working(pack_working(ID, working, "vehicle.speeding", {"lane": "1"}), ID)
    assert back == working
    assert back.plate is not None
    assert (back.plate.text, back.plate.salt) == (PLATE, SALT)
    assert event == {"type": "vehicle.speeding", "data": {"lane": "1"}}
    assert PLATE not in repr(back)


def test_without_a_plate_there_is_none() -> None:
    back, _ = unpack_working(pack_working(ID, working_set(None), "vehicle.speeding", {}), ID)
    assert back.plate is None


def test_a_raw_set_comes_back_as_files() -> None:
    raw = raw_set()
    files = unpack_raw(pack_raw(ID, raw), ID)
    assert list(files) == ["frame-01.jpg", "frame-02.jpg", "frame-03.jpg", "track.json", "calibration.toml"]
    assert files["frame-02.jpg"] == raw.frames[1].picture
    assert files["calibration.toml"] == CALIBRATION
    assert b'"y_m": 0.8' in files["track.json"]
