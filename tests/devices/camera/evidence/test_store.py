from __future__ import annotations

import errno
import os
import shutil
import stat
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from devices.camera.evidence.errors import EvidenceError, EvidenceFullError
from devices.camera.evidence.manifest import parse_manifest
from devices.camera.evidence.parts import SET_BYTES_MAX
from devices.camera.evidence.sealed import open_sealed, parse_sealed
from devices.camera.evidence.sets import unpack_raw, unpack_working
from devices.camera.evidence.store import EvidenceStore
from ledger_sync.proof.event import encode_data, encode_evidence
from ledger_sync.proof.event_types import event_type
from tests.support.durability import watch_durability
from tests.support.violation import KEYS, OVERSIGHT, PLATE, SALT, TRAFFIC, raw_set, speeding, working_set

if TYPE_CHECKING:
    from pathlib import Path

    from devices.driver import Reading

SECRET = {"traffic": [TRAFFIC], "oversight": [OVERSIGHT]}


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "camera-1", KEYS)


def keep(store: EvidenceStore) -> Reading:
    return store.keep(speeding(), working_set(), raw_set())


def test_what_is_kept_is_whole_sealed_and_named_by_the_one_digest_of_its_event(
    store: EvidenceStore, tmp_path: Path
) -> None:
    reading = keep(store)
    folder = tmp_path / "camera-1" / str(reading.id)
    assert {file.name for file in folder.iterdir()} == {
        "working.sealed",
        "raw.sealed",
        "manifest.cbor",
        "reading.json",
    }
    manifest = parse_manifest((folder / "manifest.cbor").read_bytes())
    assert reading.evidence == (sha256((folder / "manifest.cbor").read_bytes()).digest(),)
    assert manifest.id.hex() == reading.id
    clear = {}
    for one in manifest.objects:
        sealed = (folder / one.file_name).read_bytes()
        assert one.is_digest_of(sealed)
        clear[one.name] = open_sealed(parse_sealed(sealed), SECRET)
        assert sha256(clear[one.name]).digest() == one.clear_sha256
    working, event = unpack_working(clear["working"], manifest.id)
    assert working.plate is not None
    assert working.plate.text == PLATE
    assert event["data"]["speed_mm_s"] == 21_944
    assert "frame-03.jpg" in unpack_raw(clear["raw"], manifest.id)


def test_the_event_has_room_for_the_digest(store: EvidenceStore) -> None:
    reading = keep(store)
    row = event_type(reading.type)
    data = encode_data(row, reading.data)
    assert len(encode_evidence(row, data, reading.evidence)) == 36


def test_everything_is_on_the_disk_before_it_has_its_name_and_its_name_before_there_is_a_reading(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.remove_torn()
    happened = watch_durability(monkeypatch)
    name = keep(store).id
    files = ["working.sealed", "raw.sealed", "manifest.cbor", "reading.json", f".new-{name}"]
    assert happened == [*(f"fsync {one}" for one in files), f"rename .new-{name} {name}", "fsync camera-1"]


def test_the_folders_above_are_on_the_disk_before_anything_is_kept_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = watch_durability(monkeypatch)
    keep(EvidenceStore(tmp_path / "var" / "evidence" / "camera-1", KEYS))
    assert happened[:3] == ["fsync evidence", "fsync var", f"fsync {tmp_path.name}"]


def test_a_mark_is_on_the_disk_when_it_is_made(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name = str(keep(store).id)
    happened = watch_durability(monkeypatch)
    store.mark_recorded(name)
    assert happened == ["fsync .recorded", "rename .recorded recorded", f"fsync {name}"]


def test_nothing_on_the_disk_has_the_plate_or_its_salt_and_nobody_else_may_read_it(
    store: EvidenceStore, tmp_path: Path
) -> None:
    keep(store)
    for path in (tmp_path / "camera-1").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o700)
        if path.is_file():
            content = path.read_bytes()
            assert PLATE.encode() not in content
            assert SALT not in content
            assert SALT.hex().encode() not in content


def test_a_reading_is_told_again_exactly_as_it_was_until_it_is_marked(store: EvidenceStore) -> None:
    first, second = keep(store), keep(store)
    told = store.unrecorded()
    assert [one.id for one in told] == [first.id, second.id]
    row = event_type(first.type)
    assert encode_data(row, told[0].data) == encode_data(row, first.data)
    assert told[0]._replace(data={}) == first._replace(data={})
    store.mark_recorded(str(first.id))
    assert [one.id for one in store.unrecorded()] == [second.id]
    store.mark_refused(str(second.id))
    assert store.unrecorded() == []


def test_marks_of_what_is_not_there_any_more_and_of_foreign_ids_are_nothing(
    store: EvidenceStore, tmp_path: Path
) -> None:
    kept = keep(store)
    for name in (str(kept.id), "00" * 16, "../camera-1", "another driver's id"):
        shutil.rmtree(tmp_path / "camera-1" / str(kept.id), ignore_errors=True)
        store.mark_recorded(name)
    assert list((tmp_path / "camera-1").iterdir()) == []


@pytest.mark.parametrize("failing", ["write", "fsync", "rename", "mkdir", "sync_directory"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_anywhere_leaves_nothing_and_gives_no_reading(
    store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, code: int
) -> None:
    keep(store)
    before = {path.name for path in (tmp_path / "camera-1").iterdir()}

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    target = {
        "write": "devices.camera.evidence.folder.os.fdopen",
        "fsync": "devices.camera.evidence.folder.os.fsync",
        "rename": "pathlib.Path.rename",
        "mkdir": "pathlib.Path.mkdir",
        "sync_directory": "devices.camera.evidence.store.sync_directory",
    }[failing]
    with monkeypatch.context() as broken:
        broken.setattr(target, fail)
        error = EvidenceFullError if code == errno.ENOSPC else EvidenceError
        with pytest.raises(error, match="camera-1: "):
            keep(store)
    assert {path.name for path in (tmp_path / "camera-1").iterdir()} == before
    assert keep(store).id


def test_at_its_cap_or_near_the_end_of_the_disk_nothing_more_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = EvidenceStore(tmp_path / "camera-1", KEYS, bytes_max=600_000)
    keep(small)
    keep(small)
    with pytest.raises(EvidenceFullError, match=r"at most 600000; see that the authority takes it"):
        keep(small)
    assert len(small.unrecorded()) == 2
    monkeypatch.setattr("devices.camera.evidence.store.DISK_RESERVE_BYTES", 1 << 62)
    with pytest.raises(EvidenceFullError, match="the disk has less than"):
        keep(EvidenceStore(tmp_path / "camera-2", KEYS))


def test_what_is_too_large_to_be_sealed_gives_no_event(store: EvidenceStore) -> None:
    with pytest.raises(EvidenceError, match="cannot be kept"):
        store.keep(speeding(), working_set(), raw_set(frames=2, size=SET_BYTES_MAX))
    assert store.unrecorded() == []


def test_at_the_start_torn_folders_go_and_whole_ones_stay(store: EvidenceStore, tmp_path: Path) -> None:
    assert store.remove_torn() == 0
    kept = keep(store)
    torn = tmp_path / "camera-1" / ".new-00"
    torn.mkdir()
    (torn / "raw.sealed").write_bytes(b"half")
    assert store.remove_torn() == 1
    assert [one.id for one in store.unrecorded()] == [kept.id]


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 9000, b'{"type": 1}'])
def test_a_damaged_reading_is_counted_and_holds_nothing_else_up(
    store: EvidenceStore, tmp_path: Path, damage: bytes
) -> None:
    damaged, whole = keep(store), keep(store)
    (tmp_path / "camera-1" / str(damaged.id) / "reading.json").write_bytes(damage)
    assert [one.id for one in store.unrecorded()] == [whole.id]
    assert store.damaged == 1
