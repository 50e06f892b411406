"""The salted hash that an event carries of a plate."""

import hashlib

import pytest

from devices.camera.plates.plate_hash import plate_hash

SALT = bytes(range(32))


def test_the_hash_is_what_its_documentation_says() -> None:
    by_hand = hashlib.sha256(b"wayside plate v1\0" + b"\x20" + SALT + b"RK019AF").digest()
    assert plate_hash("RK019AF", SALT) == by_hand


@pytest.mark.parametrize("text", ["RK 019 AF", "rk-019af", "RK·019·AF", "ＲＫ０１９ＡＦ"])  # noqa: RUF001 - full width
def test_a_plate_is_the_same_however_it_is_written(text: str) -> None:
    assert plate_hash(text, SALT) == plate_hash("RK019AF", SALT)


@pytest.mark.parametrize("text", ["RKO19AF", "RK019AE", "RK019A"])
def test_another_plate_has_another_hash(text: str) -> None:
    assert plate_hash(text, SALT) != plate_hash("RK019AF", SALT)


def test_another_salt_gives_another_hash() -> None:
    assert plate_hash("RK019AF", bytes(16)) != plate_hash("RK019AF", bytes(32))


@pytest.mark.parametrize("size", [0, 15, 33])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"a salt of {size} bytes"):
        plate_hash("RK019AF", bytes(size))


def test_a_text_without_a_character_is_refused_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="without any letter or digit") as refused:
        plate_hash(" -?- ", SALT)
    assert "?" not in str(refused.value)
