"""Serves the calibration page to a browser on this machine, and to no one else."""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2

from devices.camera.calibration.calibration import read_calibration, review_calibration
from devices.camera.calibration.report import report
from devices.camera.calibration.toml_text import toml_text
from devices.camera.drawing import draw_grid
from ledger_sync.proof.settings import SettingsError, load_toml

if TYPE_CHECKING:
    from devices.camera.frame import Image

_FOLDER = Path(__file__).parent
_FILES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
_REQUEST_BYTES_MAX = 1 << 20
_LENGTH_DIGITS_MAX = 7
_SOCKET_TIMEOUT_S = 20
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"


class _Answer(NamedTuple):
    status: HTTPStatus
    kind: str
    body: bytes


class PageServer(ThreadingHTTPServer):
    """On 127.0.0.1; only who knows the random token in `url` gets an answer.

    `file` is where it saves, and from where the page starts if it is there. Raises SettingsError if that is no TOML,
    or for frames of another size, and OSError if the port is taken.
    """

    daemon_threads = True

    def __init__(self, file: Path, frame: Image, port: int = 0) -> None:
        self.file, self.frame = file, frame
        self.token = secrets.token_urlsafe(16)
        height, width = frame.shape[:2]
        self.table: dict[str, Any] = load_toml(file) if file.exists() else {"point": [], "distance": [], "lane": []}
        of_frame = {"width_px": width, "height_px": height}
        if self.table.setdefault("frame", of_frame) != of_frame:
            raise SettingsError(str(file), (f"frame: is not {width}x{height}, the given frame's size; give another",))
        super().__init__(("127.0.0.1", port), _Requests)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that went away, as it may at every reload."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class _Requests(BaseHTTPRequestHandler):
    server: PageServer
    timeout = _SOCKET_TIMEOUT_S

    def do_GET(self) -> None:
        """The page's parts."""
        name = self._name()
        if name is None:
            return
        if name in _FILES:
            file, kind = _FILES[name]
            self._send(_Answer(HTTPStatus.OK, f"{kind}; charset=utf-8", (_FOLDER / file).read_bytes()))
        elif name == "frame.jpg":
            self._send(_Answer(HTTPStatus.OK, "image/jpeg", _jpeg(self.server.frame)))
        elif name == "table.json":
            self._send(_json(self.server.table))
        else:
            self._send(_refusal(HTTPStatus.NOT_FOUND))

    def do_POST(self) -> None:
        """`check` a table, or `save` it."""
        name = self._name()
        if name is None:
            return
        table = self._table()
        if table is None:
            self._send(_refusal(HTTPStatus.BAD_REQUEST))
        elif name == "check":
            self._send(_check(table, self.server.frame))
        elif name == "save":
            self._send(_save(table, self.server.file))
        else:
            self._send(_refusal(HTTPStatus.NOT_FOUND))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Nothing: the token is in every request."""

    def _name(self) -> str | None:
        """What is asked for below the token; None when a refusal has been sent."""
        # A page of another site that found the port (DNS rebinding) comes under its own name.
        is_ours = self.headers.get("Host") == f"127.0.0.1:{self.server.server_port}"
        _, token, name = (*self.path.split("/", 2), "", "")[:3]
        if is_ours and secrets.compare_digest(token.encode(), self.server.token.encode()):
            return name
        self._send(_refusal(HTTPStatus.FORBIDDEN))
        return None

    def _table(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS_MAX or int(length) > _REQUEST_BYTES_MAX:
            return None
        try:
            table = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return _with_date(table) if isinstance(table, dict) else None

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(answer.body)


def _with_date(table: dict[str, Any]) -> dict[str, Any]:
    """JSON has no dates: one that is written right becomes one, anything else is told as a mistake later."""
    try:
        return {**table, "survey_date": dt.date.fromisoformat(table["survey_date"])}
    except (KeyError, TypeError, ValueError):
        return table


def _check(table: dict[str, Any], frame: Image) -> _Answer:
    """All mistakes, or the report and the frame with the ground's grid."""
    try:
        reviewed = read_calibration(table, "page", bytes(32))
    except SettingsError as error:
        return _json({"problems": error.problems, "report": None, "picture": None})
    picture = frame.copy()
    if reviewed.calibration.plane is not None:
        draw_grid(picture, reviewed.calibration.plane)
    url = "data:image/jpeg;base64," + base64.b64encode(_jpeg(picture)).decode()
    return _json({"problems": [], "report": report(reviewed), "picture": url})


def _save(table: dict[str, Any], file: Path) -> _Answer:
    """Writes the file whole or not at all, and reads it again as a gateway would."""
    try:
        read_calibration(table, "page", bytes(32))
        written = file.with_name(file.name + ".new")
        written.write_text(toml_text(table), encoding="utf-8")
        written.replace(file)
        return _json({"problems": [], "sha256": review_calibration(file).calibration.sha256.hex()})
    except SettingsError as error:
        return _json({"problems": error.problems})
    except OSError as error:
        return _json({"problems": [f"{file.name}: cannot be written ({error.strerror})"]})


def _json(value: Any) -> _Answer:
    return _Answer(HTTPStatus.OK, "application/json", json.dumps(value, default=str).encode())


def _refusal(status: HTTPStatus) -> _Answer:
    return _Answer(status, "text/plain", status.phrase.encode())


def _jpeg(image: Image) -> bytes:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return encoded.tobytes()
