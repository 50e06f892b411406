"""How a demo fails."""

from __future__ import annotations


class DemoFailedError(Exception):
    """Something that the demo shows did not hold; one sentence, which names the log to read."""
