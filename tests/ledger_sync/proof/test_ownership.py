from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger_sync.proof.ownership import OwnedError, owned

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys
from pathlib import Path
from ledger_sync.proof.ownership import owned
with owned(Path(sys.argv[1]) / "lock", "a command"):
    print("owned", flush=True)
    sys.stdin.read()
"""


def test_a_second_owner_is_refused_until_the_first_is_gone_even_by_sigkill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"owned\n"
        with pytest.raises(OwnedError, match="in use by another"), owned(tmp_path / "lock", "a command"):
            pass
        first.kill()
        first.wait(10)
    with owned(tmp_path / "lock", "a command"):
        pass


def test_ownership_ends_with_the_block(tmp_path: Path) -> None:
    with owned(tmp_path / "lock", "a command"):
        pass
    with owned(tmp_path / "lock", "a command"):
        pass


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OwnedError, match="cannot be opened"), owned(tmp_path / "missing" / "lock", "a command"):
        pass
