"""A gateway with a camera that keeps evidence; `--kill-at STEP:N` tells it where to die.

It is `wayside run` but for the camera, the crash point (of camera, journal and upload), waits that are cut short, and
a disk that is filled to the last byte.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import broker.session
import devices.camera.evidence.store
import edge.evidence.upload
import edge.evidence.uploader
import ledger_sync.anchorer
from edge.cli.running import run_until_signal
from edge.config import load_gateway_config
from edge.gateway import run_gateway
from tests.support.evidence_camera import EvidenceCamera, register_evidence_camera
from tests.support.kill_at import KillAt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="")
    options = parser.parse_args()
    broker.session.BACKOFF_MAX_S = 0.5
    ledger_sync.anchorer.RESEND_FIRST_S, ledger_sync.anchorer.RESEND_MAX_S = 0.5, 1.0
    edge.evidence.upload.ANSWER_MAX_S = 0.5
    edge.evidence.uploader.LOOK_EVERY_S = 0.05
    edge.evidence.uploader.RETRY_FIRST_S, edge.evidence.uploader.RETRY_MAX_S = 0.1, 0.5
    edge.evidence.uploader.REFUSED_RETRY_S = 0.5
    devices.camera.evidence.store.DISK_RESERVE_BYTES = 0
    step = KillAt(options.kill_at)
    EvidenceCamera.step = staticmethod(step)
    register_evidence_camera()
    config = load_gateway_config(options.config)
    run_until_signal(lambda stop: run_gateway(config, stop, step=step))


if __name__ == "__main__":
    main()
