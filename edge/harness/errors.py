"""What ends the harness: HarnessError."""

from __future__ import annotations


class HarnessError(Exception):
    """A scenario cannot be run, or a truth cannot be read; the message names the place and the mend."""
