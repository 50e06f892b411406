"""A process of the demo, seen from inside: one of our programs, which ends when the demo ends, however that does.

python -I -m edge.demo.child PARENT wayside ledger run --config ledger.toml
python -I -m edge.demo.child PARENT simulator meter-sml --link meter-2
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
        sys.exit(f"the demo (process {parent}) ended before this process began")


def main() -> int:
    """Run the program that the command line names; returns its exit code."""
    parent, program, *arguments = sys.argv[1:]
    end_with(int(parent))
    # Each imports no more than it needs, so that the demo begins at once.
    if program == "simulator":
        from devices.sim.__main__ import main as simulator  # noqa: PLC0415 - as said

        return simulator(arguments)
    from edge.cli import main as wayside  # noqa: PLC0415 - as said

    return wayside(arguments)


if __name__ == "__main__":
    sys.exit(main())
