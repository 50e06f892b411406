"""Where a source's video comes from, and its user and password, which never appear in a text."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from devices.camera.source.errors import SourceError
from devices.driver import DeviceError
from devices.wire.secret_file import read_secret

if TYPE_CHECKING:
    from devices.camera.source.settings import SourceSettings

_CREDENTIALS_BYTES_MAX = 127
"""Percent-encoded: libavformat cuts what is longer (its URL splitter's buffer for the user's part)."""
_DEVICE = re.compile(r"/dev/video(\d+)")


class Transport(enum.Enum):
    """What the video comes over."""

    RTSP = "rtsp"
    MJPEG = "http"
    MPEG_TS = "tcp"
    V4L2 = "v4l2"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Address:
    """A source's place. `place` is all of it that a text may show: no user, no password, no path that may hold them."""

    transport: Transport
    place: str
    url: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url_with_credentials(self) -> str:
        """For libavformat alone, which takes user and password only in the URL."""
        if not self.user:
            return self.url
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{rest}"


def read_address(settings: SourceSettings) -> Address:
    """The address by these settings, with what the credentials file says. Raises SourceError."""
    url = settings.url
    if _DEVICE.fullmatch(url):
        return Address(Transport.V4L2, url, url)
    if "://" not in url:
        return Address(Transport.FILE, url, url)
    transport, place = _split(url)
    user, password = _credentials(settings) if settings.credentials_file else ("", "")
    return Address(transport, place, url, user, password)


def _split(url: str) -> tuple[Transport, str]:
    scheme, _, rest = url.partition("://")
    known = {one.value: one for one in (Transport.RTSP, Transport.MJPEG, Transport.MPEG_TS)}
    if scheme not in known:
        raise SourceError("url: must begin with rtsp://, http:// or tcp://, or be /dev/videoN or a file")
    if "@" in rest:
        raise SourceError("url: holds a user or password; put `user:password` into a file and name it credentials_file")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None:
        raise SourceError(f"url: no host after {scheme}://, or a port that is none")
    shown = f"[{host}]" if ":" in host else host
    return known[scheme], f"{scheme}://{shown}" + (f":{port}" if port else "")


def _credentials(settings: SourceSettings) -> tuple[str, str]:
    path = settings.credentials_file
    assert path is not None
    try:
        line = read_secret("credentials_file", path, _CREDENTIALS_BYTES_MAX)
    except DeviceError as error:
        raise SourceError(str(error)) from error
    try:
        user, colon, password = line.decode().partition(":")
    except UnicodeDecodeError:
        colon = ""
    if not colon or not user:
        raise SourceError(f"credentials_file {path}: must be one line `user:password`, in UTF-8")
    if len(quote(user, safe="")) + 1 + len(quote(password, safe="")) > _CREDENTIALS_BYTES_MAX:
        raise SourceError(f"credentials_file {path}: too long for RTSP; make the password shorter, or of plain letters")
    return user, password
