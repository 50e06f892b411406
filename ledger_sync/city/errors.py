"""What the city ledger can fail with, by what has to be done.

LedgerError
├── StorageError   the disk refuses (full, I/O): outcome unknown; close the log, open it again, try again
└── LogError       the log contradicts itself or its key: stop, a person must look
"""

from __future__ import annotations


class LedgerError(Exception):
    """The city ledger cannot go on. The message names the place and the mend."""


class StorageError(LedgerError):
    """The database refused to read or write: what it holds is known only after it is opened again."""


class LogError(LedgerError):
    """The log contradicts itself, or the key that it was signed with is not the one at hand."""
