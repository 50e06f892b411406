"""The `[evidence]` table of gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_sync.proof.settings import setting


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """How long the gateway keeps a copy of what the authority has, and how fast it sends."""

    delete_after_s: float = setting(
        86_400.0, doc="how long a copy stays once the authority has acknowledged it", minimum=0, maximum=31_536_000
    )
    size_max_mb: int = setting(
        2048, doc="above this acknowledged copies go at once, oldest first", minimum=1, maximum=1 << 20
    )
    upload_kb_s: int = setting(256, doc="the most that is sent in a second, in KiB", minimum=1, maximum=1 << 20)
