"""Small rooms: a file or a function that grows past its bound is to be split by purpose, not squeezed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broker", "devices", "edge", "ledger_sync")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def long_functions(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_are_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= FILE_LINES_MAX
    assert list(long_functions(source)) == []


def test_a_function_of_71_lines_is_found() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION_LINES_MAX))
    assert list(long_functions(f"def long():\n{body}\n")) == ["line 1: long has 71 lines"]
    assert list(long_functions(f"def fits():\n{body}\n".replace("    pass\n", "", 1))) == []
