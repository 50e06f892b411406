"""A log file that somebody else writes: grows, is rotated, cut off or replaced, and is followed through all of that.

Calls block, as file systems do; they come from a worker thread, one at a time.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READ_BYTES_MAX = 16 * 1024
GONE_MAX_S = 10.0
_TAIL_BYTES = 64


@dataclass(frozen=True, slots=True)
class Growth:
    """What is new: bytes that follow on, or that the log begins again from its first byte."""

    data: bytes = b""
    begins_anew: bool = False


class FollowedFile:
    """Reads the file at `path` from its start, and on as it grows.

    A file moved away (rotation) is read to its end before the new one at `path` is begun. One that became shorter, or
    whose last bytes read are not there any more, was written anew and is begun again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._position = 0
        self._tail = b""
        self._gone_since: float | None = None

    def open(self) -> None:
        """Open the file at its start. Raises OSError; what is no regular file is refused."""
        with self._lock:
            self._close()
            self._begin(self._opened())

    def read(self) -> Growth:
        """What is new, up to 16 kB; nothing when there is nothing. Never waits for more.

        Raises OSError, also when nothing has been at `path` for 10 s.
        """
        with self._lock:
            if self._file is None:
                raise OSError("the file is not open")
            replaced = self._replaced()
            if self._written_anew():
                self._begin(self._file)
                return Growth(begins_anew=True)
            data = os.pread(self._file, READ_BYTES_MAX, self._position)
            if data:
                self._position += len(data)
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
                return Growth(data)
            if not replaced:
                return Growth()
            fresh = self._opened()
            os.close(self._file)
            self._begin(fresh)
            return Growth(begins_anew=True)

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._close()

    def _opened(self) -> int:
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError("it is no regular file")
        return file

    def _begin(self, file: int) -> None:
        self._file, self._position, self._tail, self._gone_since = file, 0, b"", None

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _replaced(self) -> bool:
        """Whether another file is at the path now; between the two steps of a rotation, there is none."""
        assert self._file is not None
        try:
            there = self._path.stat()
        except FileNotFoundError:
            now = time.monotonic()
            self._gone_since = now if self._gone_since is None else self._gone_since
            if now - self._gone_since > GONE_MAX_S:
                raise
            return False
        self._gone_since = None
        return not os.path.samestat(there, os.fstat(self._file))

    def _written_anew(self) -> bool:
        assert self._file is not None
        tail = os.pread(self._file, len(self._tail), self._position - len(self._tail))
        return tail != self._tail
