from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from broker.embedded import EmbeddedBrokerError, run_embedded
from tests.support.brokers import ROOT, free_port, start_embedded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT"])
def test_it_tells_loudly_what_it_is_not_and_ends_with_0_when_asked_to(stop: str, tmp_path: Path) -> None:
    with start_embedded(tmp_path) as broker:
        assert broker.stop(stop) == 0
    banner = broker.log_path.read_text()
    assert f"EMBEDDED BROKER on mqtt://127.0.0.1:{broker.port}" in banner
    for sentence in ("NOT for a city", "no access rules", "not durable"):
        assert sentence in banner


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    with start_embedded(tmp_path) as broker, socket.socket() as other:
        # Another address of this machine has the same port free.
        other.bind(("127.0.0.2", broker.port))


def test_it_is_one_process_so_that_sigkill_leaves_no_orphan_on_the_port(tmp_path: Path) -> None:
    with start_embedded(tmp_path) as broker:
        broker.kill()
        with socket.socket() as probe:
            probe.settimeout(1)
            assert probe.connect_ex(("127.0.0.1", broker.port)) != 0


def test_a_port_in_use_is_refused_with_the_mend() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        program = (
            "from broker.embedded import EmbeddedBrokerError, run_embedded\n"
            f"try: run_embedded('127.0.0.1', {port})\n"
            "except EmbeddedBrokerError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
        )
    assert f"port {port} of 127.0.0.1 cannot be listened on" in done.stdout
    assert "stop what uses it or choose another port" in done.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "broker.example", ""])
def test_an_address_that_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(EmbeddedBrokerError, match=r"127\.0\.0\.1"):
        run_embedded(host, free_port())


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(EmbeddedBrokerError, match="not from 1 to 65535"):
        run_embedded("127.0.0.1", port)


def test_without_the_extra_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iotcore.iotcore", None)
    with pytest.raises(EmbeddedBrokerError, match=r"pip install 'wayside\[demo\]'"):
        run_embedded("127.0.0.1", free_port())


def test_a_gateway_never_loads_the_embedded_broker() -> None:
    program = "import sys, broker.session, broker.status; print([name for name in sys.modules if 'iotcore' in name])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
