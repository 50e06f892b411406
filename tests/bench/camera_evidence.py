"""What evidence costs: sealing, the way to the authority, and how long anchors wait beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devices.camera.evidence.store import EvidenceStore
from tests.bench.ratio import percentile
from tests.support.brokers import MOSQUITTO, start_embedded, start_mosquitto
from tests.support.evidence_city import make_evidence_city
from tests.support.processes import start_module
from tests.support.violation import KEYS, raw_set, speeding, working_set
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.evidence_city import EvidenceCity
    from tests.support.processes import Process

PIECES, RAW_BYTES = 10, 3_000_000
QUIET_S = 8.0
_MB = 1e6
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def sealing() -> dict[str, float]:
    """From pictures in memory to sealed files on the disk: CPU time a megabyte of pictures."""
    with tempfile.TemporaryDirectory(dir="build") as name:
        store = EvidenceStore(Path(name), KEYS)
        sets = [(working_set(size=200_000), raw_set(8, RAW_BYTES // 8)) for _ in range(PIECES)]
        begin = time.process_time()
        for working, raw in sets:
            store.keep(speeding(), working, raw)
        spent_s = time.process_time() - begin
    return {"evidence_seal_cpu_ms_per_mb": 1000 * spent_s / (PIECES * (RAW_BYTES + 200_000) / _MB)}


def evidence_upload() -> dict[str, float]:
    """Throughput and CPU of both sides without a bound; receipts beside uploads at the default bound, and alone."""
    fast = asyncio.run(_measure(1 << 16))
    bounded = asyncio.run(_measure(256))
    return {
        "evidence_upload_mb_s": fast["mb_s"],
        "evidence_upload_gateway_cpu_ms_per_mb": fast["gateway_ms"],
        "evidence_upload_authority_cpu_ms_per_mb": fast["authority_ms"],
        "receipt_latency_p99_quiet_ms": bounded["quiet_ms"],
        "receipt_latency_p99_beside_upload_ms": bounded["beside_ms"],
        "receipt_latency_p99_beside_unbounded_upload_ms": fast["beside_ms"],
    }


async def _measure(upload_kb_s: int) -> dict[str, float]:
    """All pieces wait; then the authority begins. At a bounded rate only the first seconds are looked at."""
    async with _waiting_city(upload_kb_s) as (files, gateway):
        await asyncio.sleep(QUIET_S)
        quiet_us = time.time_ns() // 1000
        authority = await start_module("tests.faults.authority_process", files.authority_config, name="authority")
        begin_s, cpu_s = time.monotonic(), _cpu_s(gateway)
        try:
            with contextlib.suppress(AssertionError):
                await until(lambda: len(files.kept_ids()) == PIECES, "all was kept", QUIET_S)
            elapsed_s = time.monotonic() - begin_s
            spent_s, authority_s = _cpu_s(gateway) - cpu_s, _cpu_s(authority)
        finally:
            await authority.kill()
        beside_us = time.time_ns() // 1000
        sent = sum(path.stat().st_size for path in files.office_dir.rglob("*.sealed")) / _MB
        return {
            "mb_s": sent / elapsed_s,
            "gateway_ms": 1000 * spent_s / sent,
            "authority_ms": 1000 * authority_s / sent,
            "quiet_ms": _receipts_ms(files, quiet_us - int(QUIET_S * 1e6), quiet_us),
            "beside_ms": _receipts_ms(files, quiet_us, beside_us),
        }


@contextlib.asynccontextmanager
async def _waiting_city(upload_kb_s: int) -> AsyncIterator[tuple[EvidenceCity, Process]]:
    """Gateway and ledger run, batches are sealed all the time, and every piece waits for the authority."""
    start = start_mosquitto if MOSQUITTO else start_embedded
    with tempfile.TemporaryDirectory(dir=Path("build").absolute()) as name, start(Path(name)) as broker:  # noqa: ASYNC240
        directory = Path(name)
        files = make_evidence_city(
            directory, broker.port, violations=PIECES, raw_bytes=RAW_BYTES, upload_kb_s=upload_kb_s
        )
        config = files.city.gateway_config
        config.write_text("heartbeat_s = 0.1\n" + config.read_text())
        ledger = await start_module("tests.faults.ledger_process", files.city.ledger_config, name="ledger")
        gateway = await start_module("tests.faults.evidence_gateway_process", config, name="gateway")
        try:
            await until(lambda: _pending(files) == PIECES, "all pieces waited")
            yield files, gateway
        finally:
            await gateway.kill()
            await ledger.kill()


def _pending(files: EvidenceCity) -> int:
    return sum((files.local / name / "recorded").exists() for name in files.local_ids())


def _receipts_ms(files: EvidenceCity, first_us: int, last_us: int) -> float:
    """The 99th percentile of sealed → receipt kept, of batches sealed in that time."""
    query = "SELECT answered_us - sealed_us FROM batch WHERE receipt IS NOT NULL AND sealed_us BETWEEN ? AND ?"
    with contextlib.closing(sqlite3.connect(files.city.journal)) as connection:
        return percentile([us / 1000 for (us,) in connection.execute(query, (first_us, last_us))], 0.99)


def _cpu_s(process: Process) -> float:
    """User and system time of a process so far (proc(5))."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S
