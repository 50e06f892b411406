"""A process of a harness, seen from inside: `wayside`, which ends when its harness ends, however that does.

python -I -m edge.harness.child PARENT ledger run --config ledger.toml
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel send SIGKILL to this process when `parent`, which started it, is gone (prctl(2)).

    Raises OSError; exits if `parent` is gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        sys.exit(f"its harness (process {parent}) ended before this process began")


def main() -> int:
    """Run the verb that the command line names; returns its exit code."""
    parent, *arguments = sys.argv[1:]
    end_with(int(parent))
    from edge.cli import main as wayside  # noqa: PLC0415 - the parent may be gone, and then nothing is imported

    return wayside(arguments)


if __name__ == "__main__":
    sys.exit(main())
