import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger_sync.proof.settings import (
    SETTINGS_FILE_BYTES_MAX,
    Problems,
    SettingsError,
    load_toml,
    parse_file,
    parse_folder,
    parse_public_key,
    read_settings,
    setting,
)


def even(value: int) -> str | None:
    return "must be even" if value % 2 else None


@dataclass(frozen=True)
class Line:
    port: str = setting(doc="a path", minimum=1, maximum=5)
    speed: int = setting(9600, doc="in baud", minimum=300, maximum=115_200)


@dataclass(frozen=True)
class Example:
    name: str = setting(doc="what it is called")
    age_max_s: float = setting(60.0, doc="in seconds", minimum=0.1)
    level: str = setting("low", doc="how much", choices=("low", "high"))
    even: int = setting(0, doc="an even number", check=even)
    on: bool = setting(default=False, doc="whether")
    comment: str | None = setting(None, doc="any text")
    tags: tuple[str, ...] = setting((), doc="words")
    line: tuple[Line, ...] = setting((), doc="lines")
    main: Line | None = setting(None, doc="the main line")


def read(**table: Any) -> tuple[Example | None, list[str]]:
    problems = Problems()
    return read_settings(Example, {"name": "x", **table}, problems), problems


def test_what_is_left_out_has_its_default() -> None:
    assert read() == (Example("x"), [])


def test_every_kind_of_value_is_read() -> None:
    example, problems = read(
        age_max_s=5, level="high", even=4, on=True, comment="c", tags=["a"], line=[{"port": "/dev"}], main={"port": "m"}
    )
    assert problems == []
    assert example == Example(
        "x", 5.0, "high", 4, on=True, comment="c", tags=("a",), line=(Line("/dev"),), main=Line("m")
    )
    assert isinstance(example.age_max_s, float)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"nmae": 1}, "nmae: unknown key; did you mean name?"),
        ({"name": 1}, "name: must be text, not an integer"),
        ({"age_max_s": "5"}, "age_max_s: must be a number, not text"),
        ({"age_max_s": 0.01}, "age_max_s: is 0.01; must be at least 0.1"),
        ({"age_max_s": float("nan")}, "age_max_s: must be a finite number"),
        ({"age_max_s": True}, "age_max_s: must be a number, not true or false"),
        ({"age_max_s": 10**400}, "age_max_s: must be a number of 64 bits, as TOML has them"),
        ({"even": 16**5000}, "even: must be a number of 64 bits, as TOML has them"),
        ({"even": 1.0}, "even: must be an integer, not a number"),
        ({"even": 3}, "even: must be even"),
        ({"on": 1}, "on: must be true or false, not an integer"),
        ({"level": "loud"}, "level: is 'loud'; one of: low, high"),
        ({"tags": "a"}, "tags: must be an array, not text"),
        ({"tags": ["a", 1]}, "tags[1]: must be text, not an integer"),
        ({"line": {}}, "line: must be an array of tables ([[…]]), not a table"),
        ({"line": [{}]}, "line[0].port: is missing; a path"),
        ({"line": [{"port": "/devices"}]}, "line[0].port: is '/devices'; must be from 1 to 5 characters"),
        ({"line": [{"port": "/dev", "speed": 1}]}, "line[0].speed: is 1; must be from 300 to 115200"),
        ({"main": 5}, "main: must be a table, not an integer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_told_with_its_place_and_mend(table: dict[str, Any], problem: str) -> None:
    assert read(**table) == (None, [problem])


def test_all_mistakes_are_told_at_once() -> None:
    _, problems = read(on=1, level="loud", line=[{}, {"prot": 1}])
    assert len(problems) == 5


def test_a_file_is_read_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('name = "Zürich"\n', encoding="utf-8")
    assert load_toml(path) == {"name": "Zürich"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name = ", "is not valid TOML"),
        (b"\xff", r"is not UTF-8 text \(byte 0\)"),
        (b"a = " + b"[" * 5000, "is not valid TOML"),
        (b"a = 1" + b"0" * 5000, "is not valid TOML"),
        (b"#" * (SETTINGS_FILE_BYTES_MAX + 1), "is larger than"),
    ],
    ids=["syntax", "utf-8", "nesting", "digits", "size"],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=problem) as caught:
        load_toml(path)
    assert caught.value.source == str(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file"):
        load_toml(tmp_path / "missing.toml")
    with pytest.raises(SettingsError, match="is a directory"):
        load_toml(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is a pipe"):
        load_toml(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.touch(mode=0)
    with pytest.raises(SettingsError, match="Permission denied"):
        load_toml(path)


def test_a_path_is_kept_as_it_is_written() -> None:
    assert (parse_folder("var/../a"), parse_file("keys/a.key")) == (Path("var/../a"), Path("keys/a.key"))


@pytest.mark.parametrize("raw", ["", "a\0b", 5, None, ["a"]])
def test_what_is_no_path_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="must be a folder's path"):
        parse_folder(raw)
    with pytest.raises(ValueError, match="must be a file's path"):
        parse_file(raw)


def test_a_public_key_is_padded_base64_of_32_bytes() -> None:
    assert parse_public_key(b64encode(bytes(range(32))).decode()) == bytes(range(32))


@pytest.mark.parametrize("raw", [None, 5, b"", "", "AAAA", "!" * 44, b64encode(bytes(31)).decode(), "ü" * 44, " " * 44])
def test_a_public_key_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="44 characters of padded base64"):
        parse_public_key(raw)


def test_text_with_a_nul_character_and_an_array_that_is_too_short_are_refused() -> None:
    @dataclass(frozen=True)
    class Port:
        port: str = setting(doc="a port")
        registers: tuple[str, ...] = setting(("1.8.0",), doc="registers", minimum=1)

    problems = Problems()
    assert read_settings(Port, {"port": "a\0b", "registers": []}, problems) is None
    assert [problem.split(": ")[0] for problem in problems] == ["port", "registers"]
