"""Simulated roads with cameras on real streams, and a gateway that is started, killed and stopped by a test.

with stream_place(tmp_path, SCENARIO) as place:
    place.start_gateway()
    ...
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from nacl.public import PrivateKey

from devices.camera.evidence.folder import RECORDED, evidence_folders
from devices.camera.evidence.sealed import open_sealed, parse_sealed
from devices.camera.evidence.sets import RAW, WORKING, unpack_raw, unpack_working
from edge.journal.files import journals
from edge.journal.reader import JournalReader
from ledger_sync.proof.event import parse_event
from tests.e2e.black_box import WAYSIDE, until, wayside
from tests.e2e.camera_city import children, command_of
from tests.support.brokers import ROOT, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from devices.camera.frame import Image
    from ledger_sync.proof.event import Event

VIOLATIONS = ("vehicle.speeding", "vehicle.red_light")
STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 15.0
_GATEWAY = "tests.e2e.synced_gateway_process"
_CAMERA_PROCESS = "devices.camera.process"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What two authorities see of a violation together.

    `kind` and `data` are the event's, as they were sealed. `points` are those of the vehicle's track.
    """

    kind: str
    data: dict[str, Any]
    pictures: tuple[tuple[Image, int], ...]
    """Pixels, and UTC in µs."""
    points: tuple[dict[str, Any], ...]


class StreamPlace:
    """`folder` is that of `wayside sim run`."""

    def __init__(self, folder: Path, simulation: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._simulation = simulation
        self._gateway: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def truth(self) -> Path:
        return self.folder / "truth.jsonl"

    def start_gateway(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            command = [sys.executable, "-m", _GATEWAY, "--config", str(self.config)]
            self._gateway = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_gateway(self) -> None:
        """SIGKILL; its cameras' processes end by themselves."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            gateway.kill()
            gateway.wait(STOPS_WITHIN_S)

    def stop_gateway(self) -> None:
        gateway, self._gateway = self._gateway, None
        assert gateway is not None
        gateway.terminate()
        assert gateway.wait(STOPS_WITHIN_S) == 0, (self.folder / "gateway.log").read_text()

    def stop_simulation(self) -> None:
        self._simulation.terminate()
        assert self._simulation.wait(STOPS_WITHIN_S) == 0

    def camera_processes(self) -> list[int]:
        """Of the gateway that runs."""
        assert self._gateway is not None
        return [pid for pid in children(self._gateway.pid) if _CAMERA_PROCESS in command_of(pid)]

    def stream_server(self, width_px: int) -> int:
        """The process that serves the stream of this width."""
        servers = children(self._simulation.pid)
        return next(pid for pid in servers if f"\0{width_px}\0" in command_of(pid))

    def truths(self, kind: str) -> list[dict[str, Any]]:
        """What truly happened so far on the cameras' roads."""
        rows = [json.loads(line) for line in self.truth.read_text().splitlines()]
        return [row for row in rows if row.get("type") == kind]

    def events(self, *types: str) -> list[Event]:
        with contextlib.ExitStack() as stack:
            readers = [stack.enter_context(JournalReader(path)) for path in journals(self.folder / "gateway")]
            events = [parse_event(row.statement) for reader in readers for row in reader.events()]
        return [event for event in events if event.type in types]

    def reasons(self, state: str) -> list[str]:
        """Why devices were in that state, as their health tells."""
        health = [one.data for one in self.events("device.health")]
        return [str(one["reason"]) for one in health if one["state"] == state]

    def evidence(self) -> dict[bytes, Evidence]:
        """All that lies at the gateway, by what its event signs."""
        names = {role: (self.folder / f"{role}.key").read_text() for role in ("traffic", "oversight")}
        keys = {role: [PrivateKey(base64.b64decode(text))] for role, text in names.items()}
        return {
            sha256((folder / "manifest.cbor").read_bytes()).digest(): _evidence(folder, keys)
            for folder in self._evidence_folders()
        }

    def unrecorded(self) -> list[Path]:
        """Evidence of which the gateway does not know yet whether its event is in the journal."""
        return [folder for folder in self._evidence_folders() if not (folder / RECORDED).exists()]

    def _evidence_folders(self) -> list[Path]:
        kept = self.folder / "gateway" / "evidence"
        return [folder for camera in kept.iterdir() for folder in evidence_folders(camera)]

    def check(self, code: int = 0) -> str:
        return wayside("sim", "check", self.truth, "--config", self.config, code=code).stdout


def _evidence(folder: Path, keys: Mapping[str, Sequence[PrivateKey]]) -> Evidence:
    evidence_id = bytes.fromhex(folder.name)

    def clear(name: str) -> bytes:
        return open_sealed(parse_sealed((folder / f"{name}.sealed").read_bytes()), keys)

    _, event = unpack_working(clear(WORKING), evidence_id)
    raw = unpack_raw(clear(RAW), evidence_id)
    track = json.loads(raw["track.json"])
    pictures = []
    for frame in track["frames"]:
        decoded = cv2.imdecode(np.frombuffer(raw[frame["file"]], np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        pictures.append((decoded.astype(np.uint8), frame["utc_us"]))
    return Evidence(event["type"], event["data"], tuple(pictures), tuple(track["points"]))


@contextlib.contextmanager
def stream_place(directory: Path, text: str) -> Iterator[StreamPlace]:
    """A scenario as TOML; no gateway runs yet."""
    scenario = directory / "scenario.toml"
    scenario.write_text(text)
    folder = directory / "place"
    with start_mosquitto(directory) as broker, (directory / "simulation.log").open("wb") as log:
        command = [WAYSIDE, "sim", "run", scenario, "--folder", folder, "--broker", str(broker.url)]
        simulation = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        place = StreamPlace(folder, simulation)
        try:
            until(lambda: simulation.poll() is not None or b"devices are there" in _log(directory), STARTS_WITHIN_S)
            assert simulation.poll() is None, _log(directory).decode()
            yield place
        finally:
            place.kill_gateway()
            for pid in children(simulation.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            simulation.kill()
            simulation.wait(STOPS_WITHIN_S)


def _log(directory: Path) -> bytes:
    return (directory / "simulation.log").read_bytes()
