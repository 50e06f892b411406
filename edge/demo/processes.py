"""The demo's processes: broker, ledger, gateway and meters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edge.harness.processes import Process

from .places import DEVICES

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Processes:
    """Broker, ledger, gateway and meters; leaving the block kills those that run."""

    def __init__(self, directory: Path, port: int) -> None:
        def process(name: str, *arguments: str) -> Process:
            return Process(name, arguments, directory)

        self.broker = process("broker", "broker", "run", "--port", str(port))
        self.ledger = process("ledger", "ledger", "run", "--config", "ledger.toml")
        self.gateway = process("gateway", "run", "--config", "gateway.toml")
        self.meters = process(
            "meters", "sim", "run", "tram-stop", "--folder", DEVICES, "--broker", f"mqtt://127.0.0.1:{port}"
        )
        self._all = (self.gateway, self.meters, self.ledger, self.broker)

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
