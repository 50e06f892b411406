"""Who may import whom: the layers stand in pyproject.toml, what a list there could not say stands here (DESIGN 3)."""

import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
RUN_IMPORT_LINTER = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def test_every_import_keeps_to_the_contracts() -> None:
    linter = subprocess.run(
        [sys.executable, "-c", RUN_IMPORT_LINTER, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert linter.returncode == 0, linter.stdout + linter.stderr
    assert " kept, 0 broken" in linter.stdout


def test_simulators_and_drivers_share_no_code() -> None:
    """Two readings of one standard: a mistake in shared code would cancel itself out (DESIGN 3).

    The contract is a test of drivers, and takes the simulators' pseudo-terminal for it.
    """
    graph = grimp.build_graph("devices", cache_dir=None)
    simulators = {"devices.sim"} | graph.find_descendants("devices.sim")
    shared = {
        f"{importer} -> {imported}"
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if (importer in simulators) != (imported in simulators) and not importer.startswith("devices.contract.")
    }
    assert shared == set()


def test_the_proof_runs_alone_on_the_standard_library_pynacl_and_cbor2() -> None:
    graph = grimp.build_graph("ledger_sync", include_external_packages=True, cache_dir=None)
    imported = {
        module
        for importer in graph.find_descendants("ledger_sync.proof")
        for module in graph.find_modules_directly_imported_by(importer)
        if not module.startswith("ledger_sync.proof.")
    }
    assert imported - sys.stdlib_module_names == {"nacl", "cbor2"}
