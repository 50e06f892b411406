"""What ends the demo: DemoFailedError."""

from __future__ import annotations

from edge.harness.errors import HarnessError


class DemoFailedError(HarnessError):
    """Something that the demo shows did not hold; the message says what, and where to look."""
