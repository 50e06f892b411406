"""What an installation puts into a Python environment, and what it does not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_adds_four_packages_and_its_metadata(wheel_files: list[str]) -> None:
    top = {name.partition("/")[0] for name in wheel_files}
    metadata = {name for name in top if name.endswith(".dist-info")}
    assert top - metadata == {"broker", "devices", "edge", "ledger_sync"}
    assert len(metadata) == 1


def test_the_wheel_holds_every_source_file_and_no_test(wheel_files: list[str]) -> None:
    packages = ("broker", "devices", "edge", "ledger_sync")
    sources = {str(path.relative_to(ROOT)) for package in packages for path in (ROOT / package).rglob("*.py")}
    sources = {name for name in sources if not name.startswith("devices/template/")}  # another distribution
    assert {name for name in wheel_files if name.endswith(".py")} == sources
    assert [name for name in wheel_files if "test" in Path(name).name and name not in sources] == []


@pytest.mark.parametrize("folder", ["devices/meter/modbus_tables", "edge/harness/scenarios"])
def test_the_wheel_holds_what_is_data(wheel_files: list[str], folder: str) -> None:
    data = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*.toml")}
    assert data
    assert data <= set(wheel_files)


def test_the_wheel_says_that_it_is_typed_and_carries_its_licence(wheel_files: list[str]) -> None:
    assert {f"{package}/py.typed" for package in ("broker", "devices", "edge", "ledger_sync")} <= set(wheel_files)
    assert [name for name in wheel_files if name.endswith("licenses/LICENSE")] != []
