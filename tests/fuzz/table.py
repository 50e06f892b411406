"""Every parser that reads what others wrote: one row a target of the fuzzer."""

from __future__ import annotations

from tests.fuzz.camera_targets import CAMERAS
from tests.fuzz.evidence_targets import EVIDENCE
from tests.fuzz.meter_messages import MESSAGES
from tests.fuzz.meter_streams import STREAMS
from tests.fuzz.other_targets import OTHERS
from tests.fuzz.signal_targets import SIGNALS

TARGETS = {target.name: target for target in (*STREAMS, *MESSAGES, *SIGNALS, *CAMERAS, *EVIDENCE, *OTHERS)}
