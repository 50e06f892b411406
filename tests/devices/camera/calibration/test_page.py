"""The local page: who may see it, what it answers, and a person clicking a calibration together in a real browser."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.page.server import PageServer
from devices.camera.calibration.toml_text import toml_text
from ledger_sync.proof.settings import SettingsError
from tests.devices.camera.calibration.browser import CHROMIUM, Browser
from tests.devices.camera.calibration.roads import HEIGHT_PX, SIX_MARKS, WIDTH_PX, Camera, survey_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME = np.full((HEIGHT_PX, WIDTH_PX, 3), 70, np.uint8)
PAIRS = [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 5), (4, 5), (0, 5), (1, 4), (0, 3), (2, 5)]


@contextmanager
def serving(file: Path) -> Iterator[PageServer]:
    with PageServer(file, FRAME) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    with serving(tmp_path / "junction.toml") as running:
        yield running


def ask(
    server: PageServer, name: str, body: bytes | None = None, *, token: str | None = None, host: str | None = None
) -> tuple[int, bytes]:
    """One request for a part of the page; POST with a body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    path = f"/{server.token if token is None else token}/{name}"
    headers = {"Host": host} if host else {}
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    status, content = answer.status, answer.read()
    connection.close()
    return status, content


def json_table(table: dict[str, Any]) -> bytes:
    return json.dumps(table, default=str).encode()


def test_it_listens_on_this_machine_alone(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert urlsplit(server.url).hostname == "127.0.0.1"


@pytest.mark.parametrize("name", ["", "page.js", "page.css", "frame.jpg", "table.json"])
def test_without_the_token_there_is_nothing(server: PageServer, name: str) -> None:
    assert ask(server, name)[0] == 200
    assert ask(server, name, token="x" * len(server.token)) == (403, b"Forbidden")
    assert ask(server, name, token="")[0] == 403


def test_another_sites_page_that_found_the_port_gets_nothing(server: PageServer) -> None:
    assert ask(server, "", host=f"evil.example:{server.server_port}") == (403, b"Forbidden")


def test_every_run_has_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(3):
        with PageServer(tmp_path / "junction.toml", FRAME) as one:
            tokens.add(one.token)
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 22  # 128 bits


def test_the_page_loads_nothing_from_elsewhere(server: PageServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", f"/{server.token}/")
    policy = connection.getresponse().headers["Content-Security-Policy"]
    connection.close()
    assert policy.startswith("default-src 'none'; ")
    assert {word for word in policy.replace(";", "").split() if not word.endswith("-src")} == {
        "'none'",
        "'self'",
        "data:",
    }
    parts = b"".join(ask(server, name)[1] for name in ("", "page.js", "page.css"))
    assert b"://" not in parts.replace(b"http://www.w3.org/2000/svg", b"")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_no_table_is_refused(server: PageServer, body: bytes) -> None:
    assert ask(server, "check", body) == (400, b"Bad Request")


def test_too_long_a_table_is_refused_unread(server: PageServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest("POST", f"/{server.token}/check")
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_an_unknown_part_is_not_found(server: PageServer) -> None:
    assert ask(server, "../../../../etc/passwd")[0] == 404
    assert ask(server, "secrets")[0] == 404
    assert ask(server, "secrets", b"{}")[0] == 404


def test_a_table_with_mistakes_is_told_all_of_them_and_not_saved(server: PageServer) -> None:
    table = survey_table()
    table["distance"][0]["metres"] = None
    table["survey_date"] = "soon"
    problems = [
        "survey_date: must be a date without quotes, such as 2026-11-20",
        "distance[0].metres: must be a number, not NoneType",
    ]
    for name in ("check", "save"):
        assert json.loads(ask(server, name, json_table(table))[1])["problems"] == problems
    assert not server.file.exists()


def test_a_sound_table_is_answered_with_the_frame_under_the_grounds_grid(server: PageServer) -> None:
    answer = json.loads(ask(server, "check", json_table(survey_table(with_coordinates=True)))[1])
    assert answer["problems"] == []
    assert answer["report"]["survey"]["longest"]["length_m"] == pytest.approx(np.hypot(7.0, 20.0), abs=0.01)
    encoded = base64.b64decode(answer["picture"].removeprefix("data:image/jpeg;base64,"))
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == FRAME.shape
    # 5 m grid lines are bright on the grey frame: y = 20 m crosses the picture's middle at its height.
    x, y = np.round(Camera().see([[0.5, 20.0]])[0]).astype(int)
    assert picture[y - 2 : y + 3, x].max() > 150


def test_what_is_saved_is_what_a_gateway_reads(server: PageServer) -> None:
    answer = json.loads(ask(server, "save", json_table(survey_table(seed=1)))[1])
    assert answer == {"problems": [], "sha256": load_calibration(server.file).sha256.hex()}
    assert [path.name for path in server.file.parent.iterdir()] == ["junction.toml"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with serving(tmp_path / "missing" / "junction.toml") as server:
        answer = json.loads(ask(server, "save", json_table(survey_table()))[1])
    assert answer == {"problems": ["junction.toml: cannot be written (No such file or directory)"]}


def test_it_goes_on_from_the_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "junction.toml"
    file.write_text(toml_text(survey_table()), encoding="utf-8")
    with serving(file) as server:
        table = json.loads(ask(server, "table.json")[1])
    assert [point["name"] for point in table["point"]] == list("ABCDEF")
    assert table["survey_date"] == "2026-11-20"


def test_a_file_for_frames_of_another_size_is_not_gone_on_from(tmp_path: Path) -> None:
    file = tmp_path / "junction.toml"
    file.write_text(toml_text({**survey_table(), "frame": {"width_px": 640, "height_px": 360}}), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"frame: is not 1280x720, the given frame's size"):
        PageServer(file, FRAME)


class Person:
    """Clicks on the frame where it shows a pixel, and types into the lists beside it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        box = browser.value("JSON.stringify(document.getElementById('drawing').getBoundingClientRect())")
        self._box = json.loads(box)

    def click(self, x_px: float, y_px: float, count: int = 1) -> None:
        x = self._box["left"] + x_px / WIDTH_PX * self._box["width"]
        y = self._box["top"] + y_px / HEIGHT_PX * self._box["height"]
        self._browser.click(x, y, count)

    def choose(self, tool: str) -> None:
        self._browser.value(f"document.querySelector('input[value={tool}]').click()")

    def type(self, field: str, value: object) -> None:
        self._browser.value(
            f"{{ const field = {field}; field.value = {json.dumps(str(value))}; "
            "field.dispatchEvent(new Event('change', { bubbles: true })); }"
        )


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian package chromium)")
def test_a_person_clicks_a_calibration_together(server: PageServer, tmp_path: Path) -> None:
    marks = Camera().see(SIX_MARKS).tolist()
    with Browser(tmp_path / "profile") as browser:
        browser.open(server.url)
        browser.until("document.readyState === 'complete' && document.getElementById('problems').children.length")
        person = Person(browser)
        for x, y in marks:
            person.click(x, y)
        person.choose("distance")
        for row, (one, other) in enumerate(PAIRS):
            person.click(*marks[one])
            person.click(*marks[other])
            metres = round(float(np.linalg.norm(SIX_MARKS[one] - SIX_MARKS[other])), 2)
            person.type(f"document.querySelectorAll('#distances tr')[{row}].querySelector('input')", metres)
        person.type("document.getElementById('survey_date')", "2026-11-20")
        browser.value("document.getElementById('add-lane').click()")
        person.choose("count_line")
        person.click(300, 400)
        person.click(700, 400)
        person.choose("speed_zone")
        corners = Camera().see([[-3.0, 13.0], [-3.0, 30.0], [0.0, 30.0], [0.0, 13.0]]).tolist()
        for (x, y), clicks in zip(corners, (1, 1, 1, 2), strict=True):
            person.click(x, y, clicks)
        assert "Zone 1: 1" in browser.until(
            "[document.getElementById('report').textContent].find((text) => text.includes('Zone'))"
        )
        assert browser.value("document.getElementById('frame').src").startswith("data:image/jpeg")
        browser.value("document.getElementById('save').click()")
        saved = browser.until("document.getElementById('saved').textContent")
    calibration = load_calibration(server.file)
    assert saved == f"Saved; SHA-256 {calibration.sha256.hex()}"
    (lane,) = calibration.lanes
    assert lane.count_line is not None
    assert np.allclose(lane.count_line, [[300, 400], [700, 400]], atol=0.2)
    assert np.allclose(lane.speed_zone, corners, atol=0.2)
    assert calibration.plane is not None
    start, end = calibration.plane.to_ground(Camera().see([[-1.5, 13.0], [-1.5, 31.0]]))
    assert np.linalg.norm(end - start) == pytest.approx(18.0, abs=calibration.plane.length_uncertainty(start, end))
