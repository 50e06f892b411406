"""A third party's driver: the template is built, installed beside Wayside, found, tried and tested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a Python with the built and installed template, in a copy of the template's folder."""
    folder = tmp_path_factory.mktemp("template")
    copy, wheels, installed = folder / "copy", folder / "wheels", folder / "installed"
    shutil.copytree(ROOT / "devices/template", copy)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(wheels), str(copy)], check=True, timeout=100)
    (wheel,) = wheels.glob("acme_wayside-*.whl")
    subprocess.run([*pip, "install", *options, "--target", str(installed), str(wheel)], check=True, timeout=100)
    shutil.rmtree(copy / "acme_wayside")  # what runs is what was built

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": f"{installed}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


WAYSIDE = ("-c", "import sys; from edge.cli import main; sys.exit(main())")


def test_its_own_tests_pass_with_the_contract(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    tests = run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert " passed" in tests.stdout


def test_a_gateway_lists_it(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        'city = "demo"\ngateway = "gw-1"\ndata_dir = "var"\n[broker]\nurl = "mqtt://127.0.0.1:1"\n'
        f'[[ledger]]\nid = "l-1"\npublic_key = "{"A" * 43}="\n'
        '[[device]]\nid = "meter-1"\ndriver = "acme-meter"\nport = "port"\n'
    )
    listed = run(*WAYSIDE, "device", "list", "--config", str(config), "--json")
    assert listed.returncode == 0, listed.stderr
    shown = json.loads(listed.stdout)
    assert "acme-meter" in json.dumps(shown)
    assert "acme-wayside" in listed.stdout


def test_its_device_can_be_tried(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    body = b"ACME,4711,1234567,-42"
    checksum = 0
    for byte in body:
        checksum ^= byte
    ended = threading.Event()
    with PseudoTerminal(tmp_path / "port") as terminal:

        def send() -> None:
            while not ended.wait(0.1):
                terminal.write(b"$%s*%02X\r\n" % (body, checksum))

        sending = threading.Thread(target=send)
        sending.start()
        try:
            tried = run(*WAYSIDE, "device", "try", "acme-meter", "--port", terminal.path, "--count", "1", "--json")
        finally:
            ended.set()
            sending.join()
    assert tried.returncode == 0, tried.stderr
    assert "ACME4711" in tried.stdout
