from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from devices.camera.source.errors import SourceError
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
from devices.sim.camera.serve_mjpeg import MjpegServer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[4]
USER, PASSWORD = "viewer", "p@ss:w/rd#1%"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
WATCH = """
import sys
from pathlib import Path
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
source = Source(SourceSettings(sys.argv[1], Path(sys.argv[2])))
source.start()
while source.counters.losses < 2:
    source.newest(0.1)
print(source.trouble)
source.close()
"""


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(f"{USER}:{PASSWORD}\n")
    return path


class LockedRtsp(StreamRequestHandler):
    """Asks everyone for user and password, and notes what it is given."""

    given: ClassVar[list[str]] = []

    def handle(self) -> None:
        sequence = "1"
        for line in iter(self.rfile.readline, b""):
            name, _, value = line.decode("latin-1").strip().partition(": ")
            sequence = value if name == "CSeq" else sequence
            if name == "Authorization":
                self.given.append(value)
            if not name:
                answer = f'401 Unauthorized\r\nCSeq: {sequence}\r\nWWW-Authenticate: Basic realm="c"'
                self.wfile.write(f"RTSP/1.0 {answer}\r\n\r\n".encode())


@contextmanager
def locked_rtsp() -> Iterator[int]:
    with ThreadingTCPServer(("127.0.0.1", 0), LockedRtsp) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def test_a_password_reaches_the_camera_and_neither_argv_nor_output_nor_errors(credentials: Path) -> None:
    with locked_rtsp() as port:
        command = [sys.executable, "-c", WATCH, f"rtsp://127.0.0.1:{port}/live", str(credentials)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert BASIC in LockedRtsp.given
    assert done.stdout == f"rtsp://127.0.0.1:{port}: no video there within 3000 ms\n"
    assert done.stderr == ""


async def test_mjpeg_is_read_with_user_and_password(credentials: Path) -> None:
    server = MjpegServer(authorization=BASIC)
    await server.start()
    source = Source(SourceSettings(server.url, credentials))
    source.start()
    image = np.zeros((36, 64, 3), np.uint8)

    def is_seen() -> bool:
        server.send(image, 0)
        return source.newest(0) is not None

    await until(is_seen, "a picture came")
    source.close()
    await server.stop()


class LockedHttp(BaseHTTPRequestHandler):
    """Asks everyone for a digest of user and password, and notes what it is given."""

    given: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.given.append(self.headers["Authorization"])
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="c"')
        self.send_header("WWW-Authenticate", 'Digest realm="c", nonce="1", opaque=, qop="auth"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def test_a_camera_that_refuses_user_and_password_is_asked_once(credentials: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), LockedHttp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        source = Source(SourceSettings(f"http://127.0.0.1:{server.server_port}/secret-path", credentials))
        source.start()
        with pytest.raises(SourceError, match="check the credentials_file") as refusal:
            source.newest(10)
        source.close()
        server.shutdown()
        thread.join()
    first, second = LockedHttp.given
    assert first is None
    assert second is not None
    # RFC 7616, section 3.4.1, with qop=auth.
    told = dict(re.findall(r'(\w+)="?([^",]+)"?', second.removeprefix("Digest ")))
    secrets = [f"{USER}:c:{PASSWORD}", "GET:/secret-path"]
    one, two = (hashlib.md5(secret.encode()).hexdigest() for secret in secrets)
    assert told["response"] == hashlib.md5(f"{one}:1:{told['nc']}:{told['cnonce']}:auth:{two}".encode()).hexdigest()
    assert "secret" not in str(refusal.value)
    assert PASSWORD not in str(refusal.value)
