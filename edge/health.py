"""What a gateway says of itself every interval (topic `health`): enough to see at night whether anything is wrong."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.journal.stats import age_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.session import Session
    from edge.clock import Clock
    from edge.device.supervisor import SupervisedDevice
    from edge.journal.reader import JournalReader
    from edge.recorder import Recorder
    from ledger_sync.anchorer import AnchorerCounters

_TEMPERATURE_FILE = Path("/sys/class/thermal/thermal_zone0/temp")
_STATUS_FILE = Path("/proc/self/status")
_IO_FILE = Path("/proc/self/io")


@dataclass(slots=True)
class HealthSources:
    """Where the values come from."""

    data_dir: Path
    size_max_bytes: int
    clock: Clock
    session: Session
    recorder: Recorder
    reader: JournalReader
    anchorer: AnchorerCounters
    devices: Sequence[SupervisedDevice]
    evidence: Callable[[], dict[str, Any]]
    _previous: tuple[float, int] | None = None

    def values(self) -> dict[str, Any]:
        """The health message. Reads files and the journal, so it is called in a worker thread."""
        return {
            "time": _rfc3339(time.time()),
            "journal": self._journal(),
            "backlog": self._backlog(),
            "anchors": {
                "published": self.anchorer.published,
                "receipts": self.anchorer.receipts,
                "refusals": self.anchorer.refusals,
                "answers_ignored": self.anchorer.answers_ignored,
                "answers_repeated": self.anchorer.answers_repeated,
                "last_anchor": _rfc3339(self.anchorer.last_anchor_at),
                "last_receipt": _rfc3339(self.anchorer.last_receipt_at),
            },
            "broker": {
                "reconnects": self.session.reconnects,
                "dropped": self.session.dropped,
                "last_error": self.session.last_error,
            },
            "clock": {
                "state": ("unsynced", "holdover", "synced")[self.clock.state.state],
                "error_us": self.clock.state.error_us,
            },
            "machine": self._machine(),
            "devices": [_device(device) for device in self.devices],
            "evidence": self.evidence(),
        }

    def _journal(self) -> dict[str, Any]:
        recorder = self.recorder
        return {
            "id": self.reader.id.hex(),
            "state": "failing" if recorder.write_problem else "full" if recorder.is_full else "ok",
            "problem": recorder.write_problem,
            "recorded": recorder.recorded_count,
            "bytes": recorder.size_bytes,
            "bytes_max": self.size_max_bytes,
            "full_in_s": self._full_in_s(),
        }

    def _backlog(self) -> dict[str, Any]:
        """What waits for a receipt; its bytes are its share of the journal's."""
        backlog, last = self.reader.backlog(), self.reader.last_sequence()
        return {
            "events": backlog.events,
            "batches": backlog.batches,
            "bytes": self.recorder.size_bytes * backlog.events // max(1, last),
            "oldest_age_s": age_s(backlog.oldest_us),
        }

    def _full_in_s(self) -> int | None:
        """How long the buffer lasts at the rate since the last message; None while it does not grow."""
        now, size_bytes = time.monotonic(), self.recorder.size_bytes
        previous, self._previous = self._previous, (now, size_bytes)
        if previous is None or size_bytes <= previous[1]:
            return None
        bytes_per_s = (size_bytes - previous[1]) / max(now - previous[0], 1e-3)
        return round(max(0, self.size_max_bytes - size_bytes) / bytes_per_s)

    def _machine(self) -> dict[str, Any]:
        return {
            "disk_free_bytes": shutil.disk_usage(self.data_dir).free,
            "memory_bytes": _proc_number(_STATUS_FILE, "VmRSS:", 1024),
            "written_bytes": _proc_number(_IO_FILE, "write_bytes:", 1),
            "temperature_mdeg_c": _temperature(),
        }


def _device(device: SupervisedDevice) -> dict[str, Any]:
    counters = device.driver.counters
    return {
        "id": device.id,
        "driver": device.driver_name,
        "online": bool(device.online),
        "reason": device.reason,
        "last_reading": _rfc3339(device.last_reading_at),
        "readings": counters.readings,
        "thinned": device.policy.thinned,
        "refused": device.refused,
        "errors": counters.errors,
        "resyncs": counters.resyncs,
        "bytes_dropped": counters.bytes_dropped,
        "figures": counters.figures,
    }


def _rfc3339(utc_s: float | None) -> str | None:
    if utc_s is None:
        return None
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _proc_number(path: Path, name: str, unit: int) -> int | None:
    """A number of a /proc file; None where the kernel does not tell."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * unit for line in lines if line.startswith(name)), None)


def _temperature() -> int | None:
    """The processor's temperature in thousandths of a degree Celsius; None on a machine without that sensor."""
    try:
        return int(_TEMPERATURE_FILE.read_text())
    except (OSError, ValueError):
        return None
