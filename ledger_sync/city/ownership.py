"""One process owns a data_dir: the lock that a second `ledger run` meets."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from .errors import OwnedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = "ledger.lock"


@contextlib.contextmanager
def owned(data_dir: Path) -> Iterator[None]:
    """Hold the lock on `data_dir`; the kernel frees it when the process ends, however it ends.

    The file stays: removing it would let two processes lock two files of one name. Raises OwnedError, also when the
    folder cannot be written to.
    """
    path = data_dir / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OwnedError(f"{path}: cannot be opened ({error.strerror}); see who may write there") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = f"{data_dir}: is in use by another `wayside ledger run`; stop that one, or name another data_dir"
            raise OwnedError(sentence) from error
        yield
    finally:
        os.close(descriptor)
