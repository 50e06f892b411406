"""The demo's processes: broker, ledger, gateway and meters; and the camera's gateway with its authority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edge.harness.processes import Process

from .camera import FOLDER, GATEWAY_TOML, TRAFFIC_TOML
from .places import DEVICES

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Processes:
    """All of them; leaving the block kills those that run."""

    def __init__(self, directory: Path, port: int) -> None:
        def process(name: str, *arguments: str) -> Process:
            return Process(name, arguments, directory)

        self.broker = process("broker", "broker", "run", "--port", str(port))
        self.ledger = process("ledger", "ledger", "run", "--config", "ledger.toml")
        self.gateway = process("gateway", "run", "--config", "gateway.toml")
        self.meters = process(
            "meters", "sim", "run", "tram-stop", "--folder", DEVICES, "--broker", f"mqtt://127.0.0.1:{port}"
        )
        self.authority = process("authority", "authority", "run", "--config", f"{FOLDER}/{TRAFFIC_TOML}")
        self.camera = process("camera-gateway", "run", "--config", f"{FOLDER}/{GATEWAY_TOML}")
        self._all = (self.camera, self.authority, self.gateway, self.meters, self.ledger, self.broker)

    def check(self) -> None:
        """Raises HarnessError when one has ended by itself."""
        for process in self._all:
            process.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all:
            process.kill()
