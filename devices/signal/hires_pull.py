"""Fetching a whole log from a controller over HTTP or FTP, in a worker thread, within a deadline."""

from __future__ import annotations

import contextlib
import ftplib
import http.client
import socket
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The supervisor waits 30 s for an opening, and the first pull is one.
PULL_DEADLINE_S = 20.0
PULL_BYTES_MAX = 64 * 1024 * 1024
_SOCKET_DEADLINE_S = 3.0
_LOOK_EVERY_S = 0.2
_CHUNK_BYTES = 16 * 1024
_SCHEMES = ("http", "https", "ftp")
_OK = 200


class PullError(Exception):
    """The log could not be had; the message says why, and quotes no password."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who fetches it. FTP without a name is anonymous; HTTP sends it as Basic authentication."""

    user: str = ""
    password: str = ""


def url_problem(url: str) -> str | None:
    """What is wrong with a log's URL, if anything."""
    mend = "must look like http://192.0.2.7/log.csv or ftp://192.0.2.7/log.csv, with `user` and `password_file` beside"
    try:
        parts = urlsplit(url)
        complete = parts.scheme in _SCHEMES and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:
        return mend
    sendable = url.isascii() and unquote(url).isprintable()
    return mend if not complete or parts.username is not None or parts.fragment or not sendable else None


def pull(url: str, account: Account, take: Callable[[bytes], None], stop: threading.Event) -> None:
    """Give all of the log at `url` to `take`, in pieces of at most 16 kB; give up soon after `stop` is set.

    Raises PullError: unreachable, silent for 3 s, refused, longer than 64 MiB, cut off, or not complete within 20 s. A
    redirection is not followed, no proxy is asked.
    """
    limited = _Limited(take, stop)
    try:
        if url.startswith("ftp:"):
            _pull_ftp(url, account, limited)
        else:
            _pull_http(url, account, limited)
    except (OSError, EOFError, ftplib.Error, http.client.HTTPException) as error:
        limited.check()
        raise PullError(f"it cannot be fetched ({_brief(error)})") from error
    limited.check()


class _Limited:
    """Takes the log as long as there is time for it, and somebody who wants it."""

    def __init__(self, take: Callable[[bytes], None], stop: threading.Event) -> None:
        self._take = take
        self._stop = stop
        self._until = time.monotonic() + PULL_DEADLINE_S
        self._left = PULL_BYTES_MAX

    def __call__(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise PullError(f"it is longer than {PULL_BYTES_MAX} bytes")
        self.check()
        self._take(data)

    def check(self) -> None:
        """Raises PullError when it is to be given up."""
        if self._stop.is_set():
            raise PullError("it is not wanted any more")
        if time.monotonic() > self._until:
            raise PullError(f"it is not complete within {PULL_DEADLINE_S:g} s")

    @contextlib.contextmanager
    def cutting(self, connection: Callable[[], socket.socket | None]) -> Iterator[None]:
        """Cut the connection when it is to be given up.

        Heads and replies are read by the libraries, and a byte each second keeps them reading for ever.
        """
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_LOOK_EVERY_S):
                if self._stop.is_set() or time.monotonic() > self._until:
                    found = connection()
                    if found is not None:
                        with contextlib.suppress(OSError):  # it has ended by itself
                            # Not TLS's own way, which would wait for the other side.
                            socket.socket.shutdown(found, socket.SHUT_RDWR)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            done.set()
            watching.join()


def _pull_http(url: str, account: Account, take: _Limited) -> None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Accept": "text/csv, text/plain, */*", "Connection": "close"}
    if account.user:
        credentials = b64encode(f"{account.user}:{account.password}".encode()).decode()
        headers["Authorization"] = f"Basic {credentials}"
    connection = kind(parts.hostname or "", parts.port, timeout=_SOCKET_DEADLINE_S)
    try:
        connection.connect()
        opened = connection.sock  # the connection forgets it as soon as it has the answer's head
        with take.cutting(lambda: opened):
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
            response = connection.getresponse()
            if response.status != _OK:
                raise PullError(f"the controller answered {response.status}")
            # read1, not read: a slow sender is measured against the deadline at each piece.
            while data := response.read1(_CHUNK_BYTES):
                take(data)
            take.check()
            if response.length:
                raise PullError(f"it was cut off {response.length} bytes before its end")
    finally:
        connection.close()


def _pull_ftp(url: str, account: Account, take: _Limited) -> None:
    parts = urlsplit(url)
    session = ftplib.FTP(timeout=_SOCKET_DEADLINE_S)  # noqa: S321 - controllers offer nothing safer; the page says so
    try:
        with take.cutting(lambda: session.sock):
            session.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
            session.login(account.user, account.password)
            session.retrbinary(f"RETR {unquote(parts.path).removeprefix('/')}", take, blocksize=_CHUNK_BYTES)
    finally:
        session.close()


def _brief(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "".join(character for character in text[:80] if character.isprintable())
