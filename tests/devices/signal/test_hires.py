from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, Reading, WireCounters, WireRole
from devices.signal import hires, hires_file, hires_pull
from devices.signal.hires import Hires, HiresSettings
from edge.device import supervisor
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.signal.log_servers import FtpLog, HttpLog, LogServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = b"TimeStamp,DeviceId,EventId,Parameter\r\n"
PASSWORD = "correct-horse"


def row(number: int, event: int = 1) -> bytes:
    """The phase events of a test are told apart by their parameter."""
    minutes, tenths = divmod(number, 600)
    return (
        f"2024-04-15T{minutes // 60:02}:{minutes % 60:02}:{tenths // 10:02}.{tenths % 10},1136,{event},{number}\r\n"
    ).encode()


def rows(*numbers: int) -> bytes:
    return b"".join(map(row, numbers))


def groups(readings: list[Reading]) -> list[int]:
    return [reading.data["group"] for reading in readings]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hires, "FOLLOW_EVERY_S", 0.01)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER)
    return path


def append(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def make(port: object, **keys: Any) -> Hires:
    return Hires("signal-1", HiresSettings(port=str(port), **keys))


async def told(driver: Hires, count: int, during: Callable[[], Any] = lambda: None) -> list[Reading]:
    return await take(driver, count, during=during)


async def nothing_more(driver: Hires) -> None:
    """Nothing is told for a while in which much could be."""
    task = asyncio.create_task(told(driver, 1))
    done, _ = await asyncio.wait({task}, timeout=0.2)
    assert not done
    task.cancel()
    await asyncio.wait({task})


async def test_a_row_becomes_a_reading_with_the_logs_own_time_and_the_rows_identity(log: Path) -> None:
    append(log, b"2024-04-15T12:00:00.100,1136,22,4\r\n")
    driver = make(log)
    await driver.open()
    (reading,) = await told(driver, 1)
    assert reading == Reading(
        "signal.phase",
        {
            "controller": "1136",
            "group": 4,
            "kind": "pedestrian",
            "state": "pedestrian_clearance",
            "start_time": "2024-04-15T12:00:00.100",
            "source": "log",
            "resolution_ms": 100,
            "raw": 22,
        },
        Origin.UNPROTECTED,
        "1136/2024-04-15T12:00:00.100/22/4/1",
    )
    event_type(reading.type).check(reading.data)
    assert_plain(reading.data)
    assert driver.counters == WireCounters(readings=1)
    await driver.close()


async def test_a_real_log_is_read_whole_whether_it_is_there_or_comes_in_pieces(corpora: Path, log: Path) -> None:
    recording = gzip.decompress((corpora / "signals/hires/controller_2024-04-15_1200-1400.csv.gz").read_bytes())
    append(log, recording[len(HEADER) - 1 : 400_000])
    driver = make(log)
    await driver.open()

    async def write_on() -> None:
        for start in range(400_000, len(recording), 50_001):
            append(log, recording[start : start + 50_001])
            await asyncio.sleep(0.01)

    tasks = []
    readings = await told(driver, 1974, lambda: tasks.append(asyncio.ensure_future(write_on())))
    await asyncio.gather(*tasks)
    assert len({reading.id for reading in readings}) == 1974
    for reading in readings:
        event_type(reading.type).check(reading.data)
    assert driver.counters.errors == 4
    await driver.close()


async def test_a_log_that_grows_is_followed_and_a_row_cut_in_two_is_told_when_it_is_whole(log: Path) -> None:
    driver = make(log)
    await driver.open()
    half = len(row(2)) - 4

    def grow() -> None:
        append(log, row(1) + row(2)[:half])
        asyncio.get_running_loop().call_later(0.1, append, log, row(2)[half:] + row(3))

    assert groups(await told(driver, 3, grow)) == [1, 2, 3]
    assert driver.counters.errors == 0
    await driver.close()


async def test_a_log_that_is_rotated_is_read_to_its_end_and_then_the_new_one(log: Path) -> None:
    driver = make(log)
    await driver.open()
    append(log, rows(1, 2))

    def rotate() -> None:
        moved = log.rename(log.with_suffix(".1"))
        append(moved, rows(3))
        log.write_bytes(HEADER + rows(4))

    assert groups(await told(driver, 4, rotate)) == [1, 2, 3, 4]
    await driver.close()


async def test_between_the_two_steps_of_a_rotation_the_old_log_is_read_on(log: Path) -> None:
    driver = make(log)
    await driver.open()

    def move_and_begin_later() -> None:
        append(log.rename(log.with_suffix(".1")), rows(1))
        asyncio.get_running_loop().call_later(0.1, log.write_bytes, HEADER + rows(2))

    assert groups(await told(driver, 2, move_and_begin_later)) == [1, 2]
    await driver.close()


async def test_a_log_that_is_cut_to_nothing_and_written_anew_is_read_from_its_start(log: Path) -> None:
    append(log, rows(1, 2))
    driver = make(log)
    await driver.open()
    loop = asyncio.get_running_loop()
    rewritten = HEADER + rows(*range(10, 20))
    assert len(rewritten) > len(HEADER + rows(1, 2))
    readings = await told(driver, 12, lambda: loop.call_later(0.1, log.write_bytes, rewritten))
    assert groups(readings) == [1, 2, *range(10, 20)]
    await driver.close()


async def test_a_log_that_is_replaced_by_a_longer_copy_of_itself_is_told_once(log: Path) -> None:
    append(log, rows(1, 2, 3))
    driver = make(log)
    await driver.open()

    def replace() -> None:
        copy = log.with_suffix(".new")
        copy.write_bytes(log.read_bytes() + rows(4))
        copy.replace(log)

    loop = asyncio.get_running_loop()
    assert groups(await told(driver, 4, lambda: loop.call_later(0.1, replace))) == [1, 2, 3, 4]
    await driver.close()


async def test_what_is_cut_off_for_ever_by_a_rotation_is_counted_and_not_joined_with_what_follows(log: Path) -> None:
    driver = make(log)
    await driver.open()
    append(log, row(1) + row(2)[:-2])

    def rotate() -> None:
        log.rename(log.with_suffix(".1"))
        log.write_bytes(HEADER + rows(3))

    assert groups(await told(driver, 2, rotate)) == [1, 3]
    assert driver.counters.bytes_dropped == len(row(2)) - 2
    await driver.close()


async def test_after_a_restart_the_same_rows_have_the_same_ids_and_data(log: Path) -> None:
    append(log, rows(1, 2) + rows(2) + row(3, 8))
    found = []
    for _ in range(2):
        driver = make(log)
        await driver.open()
        found.append(await told(driver, 4))
        await driver.close()
    assert found[0] == found[1]
    assert len({reading.id for reading in found[0]}) == 4


async def test_an_object_that_is_opened_again_tells_nothing_twice(log: Path) -> None:
    append(log, rows(1, 2))
    driver = make(log)
    await driver.open()
    assert groups(await told(driver, 2)) == [1, 2]
    await driver.close()
    await driver.open()
    assert groups(await told(driver, 1, lambda: append(log, rows(3)))) == [3]
    await driver.close()
    await driver.open()
    await nothing_more(driver)
    await driver.close()


async def test_of_a_long_log_no_more_is_told_than_the_recorder_remembers(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hires, "RECALL_MIN", 100)
    append(log, rows(*range(1000)))
    driver = make(log)
    await driver.open()
    assert groups(await told(driver, 100)) == list(range(900, 1000))
    assert len(driver._told) <= 100
    await driver.close()


def test_the_backlog_is_what_the_recorder_remembers_at_least() -> None:
    from edge.journal.recall import RECALL_MIN  # noqa: PLC0415 - the one place where the two numbers meet

    assert hires.RECALL_MIN == RECALL_MIN


async def test_a_log_that_is_not_there_is_a_device_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=f"{tmp_path}/log.csv: cannot be read.*No such file"):
        await make(tmp_path / "log.csv").open()
    with pytest.raises(DeviceError, match="cannot be read"):
        await make(tmp_path).open()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeviceError, match="no regular file"):
        await make(tmp_path / "pipe").open()


async def test_a_log_that_goes_away_for_long_is_a_device_error(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hires_file, "GONE_MAX_S", 0.1)
    driver = make(log)
    await driver.open()
    with pytest.raises(DeviceError, match=f"{log}: cannot be read"):
        await told(driver, 1, log.unlink)
    await driver.close()


async def test_making_a_driver_touches_nothing_and_closing_frees_everything(log: Path) -> None:
    driver = make("/nowhere/log.csv")
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.SHARED
    append(log, rows(1))
    driver = make(log)
    await driver.close()
    await driver.open()
    await driver.open()
    task = asyncio.create_task(told(driver, 9))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert str(log) in open_files()
    await driver.close()
    await driver.close()
    assert str(log) not in open_files()
    with pytest.raises(DeviceError, match="not open"):
        await told(driver, 1)


@pytest.mark.parametrize("kind", [HttpLog, FtpLog])
async def test_a_log_is_pulled_again_and_again_and_what_is_new_is_told(kind: type[LogServer]) -> None:
    async with serving(kind) as server:
        server.log = HEADER + rows(*range(2000)) + b"garbage\n"
        driver = make(server.url)
        driver._settings.__dict__["pull_every_s"] = 0.05
        await driver.open()

        def forget_and_grow() -> None:
            server.log = HEADER + rows(*range(500, 2010)) + b"garbage\n"

        assert groups(await told(driver, 2010, forget_and_grow)) == list(range(2010))
        assert driver.counters.errors == 1
        assert server.served >= 2
        await driver.close()


@pytest.mark.parametrize("kind", [HttpLog, FtpLog])
async def test_a_pull_logs_in_with_the_password_of_its_file_and_tells_it_nobody(
    kind: type[LogServer], tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    async with serving(kind) as server:
        server.log, server.account = HEADER + rows(1), ("logger", PASSWORD)
        driver = make(server.url, user="logger", password_file=path)
        await driver.open()
        assert groups(await told(driver, 1)) == [1]
        await driver.close()
        server.account = ("logger", "another")
        with pytest.raises(DeviceError, match=r"401|530") as raised:
            await driver.open()
        assert PASSWORD not in f"{raised.value}{driver.counters}{driver._settings}"
        path.unlink()
        with pytest.raises(DeviceError, match=f"password_file {path}: cannot be read"):
            await driver.open()


@pytest.mark.parametrize("kind", [HttpLog, FtpLog])
async def test_a_log_that_cannot_be_pulled_is_a_device_error_that_names_it(
    kind: type[LogServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hires_pull, "_SOCKET_DEADLINE_S", 0.2)
    async with serving(kind) as server:
        server.log = HEADER + rows(1)
        with pytest.raises(DeviceError, match=f"{server.url}x: .*(404|550)"):
            await make(server.url + "x").open()
        monkeypatch.setattr(hires_pull, "PULL_BYTES_MAX", 50)
        with pytest.raises(DeviceError, match=f"{server.url}: it is longer than 50 bytes"):
            await make(server.url).open()
        server.silent = True
        with pytest.raises(DeviceError, match=f"{server.url}: it cannot be fetched .*timed out"):
            await make(server.url).open()
    await asyncio.sleep(0)
    with pytest.raises(DeviceError, match=f"{server.url}: it cannot be fetched .*refused"):
        await make(server.url).open()


@pytest.mark.parametrize("password", [b"p\xe4ss", b"pass\nDELE log"])
async def test_a_password_that_cannot_be_sent_is_a_device_error_that_does_not_quote_it(
    password: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_bytes(password)
    async with serving(FtpLog) as server:
        with pytest.raises(DeviceError, match=f"password_file {path}: is no line of UTF-8 text") as raised:
            await make(server.url, user="logger", password_file=path).open()
    assert raised.value.__cause__ is None
    assert "ss" not in str(raised.value).replace("password", "")


def test_a_pull_is_given_up_before_the_supervisor_gives_up_the_opening() -> None:
    assert hires_pull.PULL_DEADLINE_S + 2 * hires_pull._SOCKET_DEADLINE_S < supervisor.OPEN_MAX_S


async def test_half_an_answer_is_no_log() -> None:
    async with serving(HttpLog) as server:
        server.log, server.cut = HEADER + rows(1, 2), 10
        with pytest.raises(DeviceError, match="cut off 10 bytes before its end"):
            await make(server.url).open()


@pytest.mark.parametrize(("scheme", "begins"), [("http", b"HTTP/1.1 200 OK\r\nX: "), ("ftp", b"220")])
@pytest.mark.parametrize("stops", [False, True], ids=["deadline", "closed"])
async def test_a_controller_that_sends_a_byte_now_and_then_is_given_up_all_the_same(
    scheme: str,
    begins: bytes,
    stops: bool,  # noqa: FBT001 - a parameter of pytest
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hires_pull, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(hires_pull, "PULL_DEADLINE_S", 20.0 if stops else 0.2)
    is_asked, is_given_up = asyncio.Event(), asyncio.Event()

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_asked.set()
        piece = begins
        try:
            while True:
                writer.write(piece)
                await writer.drain()
                piece = b"a"
                await asyncio.sleep(0.05)
        except ConnectionError:
            is_given_up.set()

    async with asyncio.timeout(5), await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        driver = make(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/log.csv")
        opening = asyncio.create_task(driver.open())
        if stops:
            await is_asked.wait()
            await driver.close()
        with pytest.raises(DeviceError, match="not wanted any more" if stops else r"not complete within 0.2 s"):
            await opening
        await is_given_up.wait()


async def test_a_pull_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hires_pull, "PULL_DEADLINE_S", -1.0)
    async with serving(HttpLog) as server:
        server.log = HEADER
        with pytest.raises(DeviceError, match="not complete within"):
            await make(server.url).open()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"port": ""}, "port: is empty"),
        ({"port": "ftps://host/log"}, "port: must look like"),
        ({"port": "http://host/"}, "port: must look like"),
        ({"port": "ftp://user:secret@host/log"}, "port: must look like"),
        ({"port": "ftp://host/log%0d%0aDELE%20log"}, "port: must look like"),
        ({"port": "http://host:99999/log"}, "port: must look like"),
        ({"port": "http://host/l\u00f6g.csv"}, "port: must look like"),
        ({"port": "ftp://host/log", "user": "u\nDELE log", "password_file": "p"}, "user: must be one line"),
        ({"port": "http://host/log", "user": "u"}, "user and password_file go together"),
        ({"port": "/var/log", "user": "u", "password_file": "p"}, "for a port that is a URL"),
    ],
)
def test_settings_that_cannot_be_used_are_told(keys: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(HiresSettings, keys, problems) is None
    assert why in problems[0]
    assert "secret" not in problems[0]


def test_a_log_over_https_is_from_an_authenticated_link() -> None:
    assert make("https://controller.example/log.csv")._origin is Origin.AUTHENTICATED_LINK


def test_the_password_file_is_a_path() -> None:
    keys = {"port": "ftp://192.0.2.7/log.csv", "user": "u", "password_file": "ftp.password"}
    read = read_settings(HiresSettings, keys, Problems())
    assert read is not None
    assert read.password_file == Path("ftp.password")
