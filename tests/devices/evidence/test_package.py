from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, Reading, WireCounters, WireRole
from devices.evidence import package_folder
from devices.evidence.package import Package
from devices.evidence.package_manifest import make_manifest, opened
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.evidence.boxes import PLATE, POLL_S, SETTLE_S, leave, make
from tests.edge.recording import recorded, recording
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CASE = {"case.xml": b"<case/>", "images/1.jpg": b"\xff\xd8"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evidence").mkdir()
    return tmp_path / "evidence"


@contextlib.asynccontextmanager
async def reading(driver: Package) -> AsyncIterator[asyncio.Queue[Reading]]:
    """The driver is read for the length of the block."""
    await driver.open()
    found: asyncio.Queue[Reading] = asyncio.Queue()

    async def read() -> None:
        async for one in driver.readings():
            found.put_nowait(one)

    task = asyncio.create_task(read())
    try:
        async with asyncio.timeout(20):
            yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
        await driver.close()


async def nothing_more(found: asyncio.Queue[Reading]) -> None:
    """Nothing is told for a while in which a whole package would be."""
    await asyncio.sleep(SETTLE_S + 3 * POLL_S)
    assert found.empty()


def manifest_digest(package: Path) -> bytes:
    with opened(package) as opened_package:
        return make_manifest(opened_package).sha256


async def test_a_package_is_told_by_the_digest_of_its_manifest_and_not_by_its_name(folder: Path) -> None:
    package = leave(folder / PLATE, CASE)
    before = {path: path.stat().st_mtime_ns for path in package.rglob("*")}
    driver = make(folder)
    async with reading(driver) as found:
        told = await found.get()
        await nothing_more(found)
    digest = manifest_digest(package)
    data = {"files": 2, "bytes": 9, "manifest_sha256": digest}
    assert told == Reading("evidence.package", data, Origin.UNPROTECTED, digest.hex(), (digest,))
    assert_plain(told.data)
    assert event_type(told.type).check(told.data) == told.data
    assert driver.counters == WireCounters(readings=1)
    assert PLATE not in repr(told)
    assert {path: path.stat().st_mtime_ns for path in package.rglob("*")} == before


async def test_with_record_name_the_name_is_told_and_two_of_the_same_content_are_two(folder: Path) -> None:
    leave(folder / "case-1", CASE)
    leave(folder / "case-2", CASE)
    driver = make(folder, record_name=True)
    async with reading(driver) as found:
        told = [await found.get(), await found.get()]
    assert {one.data["package"] for one in told} == {"case-1", "case-2"}
    assert len({one.id for one in told}) == 2
    assert len({one.evidence for one in told}) == 1


async def test_a_name_that_no_event_can_hold_is_left_out_and_counted(folder: Path) -> None:
    leave(folder / ("x" * 129), CASE)
    leave(folder / os.fsdecode(b"caf\xe9"), CASE | {"more": b""})
    driver = make(folder, record_name=True)
    async with reading(driver) as found:
        for _ in range(2):
            told = await found.get()
            assert "package" not in told.data
            event_type(told.type).check(told.data)
    assert driver.counters.errors == 2


async def test_a_package_that_is_still_written_is_not_told_before_it_has_settled(folder: Path) -> None:
    driver = make(folder, settle_s=0.4)
    async with reading(driver) as found:
        for number in range(8):
            leave(folder / PLATE, {f"{number}.jpg": b"x" * number})
            await asyncio.sleep(0.1)
        told = await found.get()
        assert told.data["files"] == 8
        await nothing_more(found)


async def test_with_a_marker_a_package_is_whole_when_the_marker_is_there_and_not_before(folder: Path) -> None:
    driver = make(folder, marker="DONE", settle_s=3600)
    leave(folder / PLATE, CASE)
    async with reading(driver) as found:
        await nothing_more(found)
        leave(folder / PLATE, {"DONE": b""})
        assert (await found.get()).data["files"] == 3
    assert driver.counters.errors == 0


async def test_what_is_unfinished_or_no_package_is_left_alone(folder: Path) -> None:
    leave(folder / f".{PLATE}", CASE)
    leave(folder, {"readme.txt": b"hello"})
    (folder / "empty").mkdir()
    driver = make(folder)
    async with reading(driver) as found:
        await nothing_more(found)
        (folder / f".{PLATE}").rename(folder / PLATE)
        assert (await found.get()).data["files"] == 2
    assert driver.counters.errors == 0


async def test_a_package_that_changes_after_it_was_told_is_told_again(folder: Path) -> None:
    package = leave(folder / PLATE, CASE)
    driver = make(folder)
    async with reading(driver) as found:
        first = await found.get()
        (package / "case.xml").write_bytes(b"<CASE/>")
        second = await found.get()
    assert second.data["bytes"] == first.data["bytes"]
    assert second.evidence == (manifest_digest(package),) != first.evidence


async def test_told_packages_are_looked_at_in_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_folder, "TOLD_LOOKS_A_ROUND", 2)
    packages = [leave(folder / f"{PLATE}-{number}", CASE | {"n": bytes([number])}) for number in range(7)]
    driver = make(folder)
    async with reading(driver) as found:
        for _ in packages:
            await found.get()
        for package in packages:
            (package / "n").write_bytes(b"changed")
        # All are the same now but for their names, which nobody tells.
        for _ in packages:
            await found.get()
        await nothing_more(found)


async def test_packages_are_told_in_the_order_in_which_they_were_finished(folder: Path) -> None:
    for number, name in enumerate("cab"):
        leave(folder / name, {"n": bytes([number])})
        os.utime(folder / name / "n", ns=(0, 1_000_000_000 * number))
    async with reading(make(folder)) as found:
        told = [await found.get() for _ in range(3)]
    assert [one.evidence for one in told] == [(manifest_digest(folder / name),) for name in "cab"]


@pytest.mark.parametrize("kind", ["link inside", "link itself", "too large"])
async def test_a_package_that_is_no_evidence_is_counted_once_and_told_once_it_is_mended(
    folder: Path, kind: str, tmp_path: Path
) -> None:
    package = leave((tmp_path if kind == "link itself" else folder) / PLATE, CASE)
    culprit = package / "latest.jpg"
    if kind == "link inside":
        culprit.symlink_to("images/1.jpg")
    elif kind == "link itself":
        culprit = folder / PLATE
        culprit.symlink_to(package)
    else:
        with culprit.open("wb") as file:
            file.truncate((1 << 20) + 1)
    driver = make(folder, size_max_mb=1)
    async with reading(driver) as found:
        await nothing_more(found)
        assert driver.counters.errors == 1
        assert str(folder) in driver.counters.last_error
        assert PLATE not in driver.counters.last_error
        culprit.unlink()
        leave(folder / PLATE, CASE)
        assert (await found.get()).data["files"] == 2
    assert driver.counters.errors == 1


async def test_a_file_that_may_not_be_read_is_counted_once_and_tried_again_when_it_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = leave(folder / PLATE, CASE)
    open_file, refuses, refused = os.open, True, 0

    def guarded(path: Any, *arguments: Any, **keys: Any) -> int:  # the tests run as root, who may read everything
        nonlocal refused
        if path == "case.xml" and refuses:
            refused += 1
            raise PermissionError(13, "Permission denied")
        return open_file(path, *arguments, **keys)

    monkeypatch.setattr(os, "open", guarded)
    driver = make(folder)
    async with reading(driver) as found:
        await until(lambda: driver.counters.errors == 1)
        assert "Permission denied" in driver.counters.last_error
        await nothing_more(found)
        assert driver.counters.errors == refused == 1
        refuses = False
        (package / "case.xml").chmod(0o640)
        assert (await found.get()).data["files"] == 2


async def test_a_package_that_changes_while_it_is_read_is_told_only_as_it_is_in_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = leave(folder / PLATE, {"a": b"1", "b": b"2"})
    reads = 0

    def changing(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        manifest = make_manifest(*arguments)
        if reads == 1:
            (package / "a").write_bytes(b"3")
        return manifest

    monkeypatch.setattr(package_folder, "make_manifest", changing)
    async with reading(make(folder)) as found:
        told = await found.get()
        assert told.evidence == (manifest_digest(package),)
        await nothing_more(found)
    assert reads == 2


async def test_closing_ends_the_reading_of_a_large_package_soon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = leave(folder / PLATE, {})
    package.mkdir()
    with (package / "video").open("wb") as file:
        file.truncate(3 << 30)
    began, ended = threading.Event(), threading.Event()

    def watched(*arguments: Any) -> Any:
        began.set()
        try:
            return make_manifest(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr(package_folder, "make_manifest", watched)
    driver = make(folder)
    async with reading(driver):
        await until(began.is_set)
        assert not ended.is_set()
    assert await asyncio.to_thread(ended.wait, 1.0)
    await until(lambda: not any(path.startswith(str(folder)) for path in open_files()))


async def test_a_missing_directory_is_a_device_error_that_names_it_also_later(folder: Path) -> None:
    driver = make(folder)
    await driver.open()
    await asyncio.to_thread(folder.rmdir)
    with pytest.raises(DeviceError, match=f"{folder}: cannot be read"):
        await take(driver, 1)
    await driver.close()
    with pytest.raises(DeviceError, match=f"{folder}: cannot be read"):
        await driver.open()


async def test_opening_looks_into_no_package_as_that_may_take_minutes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(folder / PLATE, CASE)
    looked: list[int] = []
    monkeypatch.setattr(package_folder, "look", looked.append)
    driver = make(folder)
    await driver.open()
    assert looked == []
    await driver.close()


async def test_more_packages_than_are_remembered_is_a_device_error_with_its_mend(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_folder, "PACKAGES_MAX", 2)
    for name in "abc":
        leave(folder / name, CASE)
    with pytest.raises(DeviceError, match=r"holds 3 packages, more than the 2 .*; move the oldest"):
        await make(folder).open()


async def test_it_opens_again_after_a_loss_and_tells_the_same_with_the_same_id(folder: Path) -> None:
    leave(folder / PLATE, CASE)
    driver = make(folder)
    ids = []
    for _ in range(2):
        await driver.open()
        ids.append([one.id for one in await take(driver, 1)])
        await driver.close()
        await driver.close()
    assert ids[0] == ids[1] != [None]


def test_making_a_driver_touches_nothing(folder: Path) -> None:
    before = open_files()
    driver = make(folder / "nowhere")
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.LISTEN_ONLY


@pytest.mark.parametrize(
    "change",
    [
        {"folder": ""},
        {"marker": ""},
        {"marker": "a/b"},
        {"marker": ".."},
        {"settle_s": 0},
        {"poll_s": 0},
        {"size_max_mb": 0},
        {"record_name": 1},
    ],
    ids=str,
)
def test_settings_are_refused_with(change: dict[str, Any]) -> None:
    problems = Problems()
    assert read_settings(Package.Settings, {"folder": "evidence"} | change, problems) is None
    assert len(problems) == 1


async def test_over_a_restart_a_package_is_recorded_once_and_again_when_it_changed(
    folder: Path, tmp_path: Path
) -> None:
    package = leave(folder / PLATE, CASE)
    for turn in range(3):
        if turn == 2:
            leave(package, {"case.xml": b"<forged/>"})
        async with recording(tmp_path) as recorder, reading(make(folder)) as found:
            assert await recorder.record("box-1", await found.get()) is None
    events = recorded(tmp_path)
    assert [event.data["bytes"] for event in events] == [9, 11]
    assert [event.evidence for event in events] == [(event.data["manifest_sha256"],) for event in events]
    assert events[1].data["manifest_sha256"] == manifest_digest(package)


async def test_a_manifest_can_be_recomputed_from_what_an_event_says(folder: Path) -> None:
    leave(folder / PLATE, CASE)
    async with reading(make(folder)) as found:
        told = await found.get()
    lines = (f"{hashlib.sha256(data).hexdigest()}  {len(data)}  {path}\n" for path, data in sorted(CASE.items()))
    assert hashlib.sha256("".join(lines).encode()).digest() == told.data["manifest_sha256"]
