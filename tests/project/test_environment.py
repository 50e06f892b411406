"""`locks/environment.sh`: a machine that cannot run Wayside hears one sentence and its mend."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_environment(directory: Path, lock: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(ROOT / "locks" / "environment.sh"), str(directory), str(lock)],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def real_python_without(module: str, path: Path) -> Path:
    """This Python, but for one module: `-E -c CODE` runs CODE with its import failing."""
    hide = f'import sys; sys.modules["{module}"] = None; exec(sys.argv[3])'
    return program(path, f"exec '{sys.executable}' -I -c '{hide}' \"$@\"")


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    old = program(tmp_path / "python3.9", "echo 3.9; exit 3")
    refused = make_environment(tmp_path / "venv", tmp_path / "none.txt", PYTHON=str(old))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Wayside needs Python 3.11 or newer with venv: {old} is Python 3.9; install one")
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_a_python_without_ensurepip_is_answered_with_the_package_to_install(tmp_path: Path) -> None:
    bare = real_python_without("ensurepip", tmp_path / "python3.12")
    refused = make_environment(tmp_path / "venv", tmp_path / "none.txt", PYTHON=str(bare))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Wayside needs Python 3.11 or newer with venv: {bare} comes without it; "
        "install it (Debian, Ubuntu: apt install python3.12-venv).\n"
    )


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    refused = make_environment(tmp_path / "venv", tmp_path / "none.txt", PYTHON=str(tmp_path / "python9"))
    assert refused.returncode == 1
    assert "python9 does not run; install one" in refused.stderr


def test_a_newer_python_is_taken_where_python3_is_too_old(tmp_path: Path) -> None:
    program(tmp_path / "python3", "echo 3.9; exit 3")
    program(tmp_path / "python3.13", "exit 127")
    program(tmp_path / "python3.12", f'exec "{sys.executable}" "$@"')
    (tmp_path / "empty.txt").touch()
    made = make_environment(
        tmp_path / "venv", tmp_path / "empty.txt", PATH=f"{tmp_path}:{os.environ['PATH']}", PYTHON=""
    )
    assert made.returncode == 0, made.stderr
    assert "(python3.12)" in made.stdout
    assert (tmp_path / "venv" / "bin" / "python").exists()


def test_the_words_of_pip_are_shown_when_it_fails(tmp_path: Path) -> None:
    failed = make_environment(tmp_path / "venv", tmp_path / "absent.txt", PYTHON=sys.executable)
    assert failed.returncode == 1
    assert f"No such file or directory: '{tmp_path}/absent.txt'" in failed.stderr
    assert failed.stderr.endswith("the words above say why.\n")
