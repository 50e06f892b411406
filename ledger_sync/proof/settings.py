"""TOML into frozen dataclasses: every mistake told at once, each with its place and its mend.

A settings class is a frozen dataclass whose fields are made by `setting`. `read_settings` checks a table
against it: unknown and missing keys, types, ranges, nested tables (a dataclass) and arrays of tables
(`tuple[dataclass, ...]`). It collects problems and goes on, so that one run shows an operator everything. What no
single key can tell, a class checks in `__post_init__`, raising ValueError with a sentence.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import difflib
import math
import tomllib
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTINGS_FILE_BYTES_MAX = 1 << 20
T = TypeVar("T")


class SettingsError(Exception):
    """A settings file that cannot be used. `problems` holds one sentence a mistake; all of them."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = problems


class Problems(list[str]):
    """Mistakes found so far, as `place: what is wrong; the mend`."""

    def add(self, place: str, sentence: str) -> None:
        """Note one mistake at `place` (a key's path, such as `batch.count_max`)."""
        self.append(f"{place}: {sentence}" if place else sentence)


def setting(
    default: Any = dataclasses.MISSING,
    *,
    doc: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    check: Callable[[Any], str | None] | None = None,
    parse: Callable[[Any], Any] | None = None,
    key: str | None = None,
) -> Any:
    """A field of a settings class.

    `minimum`/`maximum` bound a number, or the length of a string; `minimum` also that of an array. `check` gets the
    value and returns what is wrong with it, if anything. `parse` turns the TOML value into the field's and raises
    ValueError with a sentence; it replaces the type check. `key` is how the file names it, where that is no name in
    Python, such as "from".
    """
    facts = {
        "doc": doc,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "check": check,
        "parse": parse,
        "key": key,
    }
    return dataclasses.field(default=default, metadata=facts)


def load_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file.

    Raises SettingsError when the file is missing, unreadable, a directory, too large or no TOML.
    """
    try:
        if path.is_dir() or path.is_fifo():
            kind = "directory" if path.is_dir() else "pipe"
            raise SettingsError(str(path), (f"is a {kind}; name a TOML file",))
        with path.open("rb") as file:
            raw = file.read(SETTINGS_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(str(path), (f"cannot be read ({error.strerror})",)) from error
    if len(raw) > SETTINGS_FILE_BYTES_MAX:
        raise SettingsError(str(path), (f"is larger than {SETTINGS_FILE_BYTES_MAX} bytes; is it the right file?",))
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), (f"is not UTF-8 text (byte {error.start})",)) from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and an integer of more digits than Python reads
        raise SettingsError(str(path), (f"is not valid TOML: {error}",)) from error


def read_settings(cls: type[T], table: Mapping[str, Any], problems: Problems, place: str = "") -> T | None:
    """An instance of the settings class `cls` from `table`, or None when `problems` was added to."""
    known_before = len(problems)
    hints = typing.get_type_hints(cls)
    fields = {field.metadata.get("key") or field.name: field for field in dataclasses.fields(typing.cast("Any", cls))}
    for key in table:
        if key not in fields:
            problems.add(_join(place, key), _unknown(key, fields))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        where = _join(place, name)
        if name in table:
            values[field.name] = _value(hints[field.name], field, table[name], problems, where)
        elif field.default is dataclasses.MISSING:
            problems.add(where, f"is missing; {field.metadata['doc']}")
    if len(problems) > known_before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        problems.add(place, str(error))
        return None


def load_part(cls: type[T], path: Path) -> T:
    """The settings class `cls` from its own keys in the TOML file at `path`; other keys may be missing or wrong.

    Raises SettingsError with all mistakes in its own.
    """
    names = {field.metadata.get("key") or field.name for field in dataclasses.fields(typing.cast("Any", cls))}
    problems = Problems()
    part = read_settings(cls, {key: value for key, value in load_toml(path).items() if key in names}, problems)
    if part is None:
        raise SettingsError(str(path), tuple(problems))
    return part


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _unknown(key: str, fields: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(fields))}"
    return f"unknown key; {mend}"


def _value(hint: Any, field: dataclasses.Field[Any], raw: Any, problems: Problems, where: str) -> Any:
    facts = field.metadata
    if facts.get("parse") is not None:
        try:
            return facts["parse"](raw)
        except ValueError as error:
            problems.add(where, str(error))
            return None
    hint = _without_none(hint)
    if dataclasses.is_dataclass(hint):
        return _table(hint, raw, problems, where)
    if typing.get_origin(hint) is tuple:
        return _array(typing.get_args(hint)[0], field, raw, problems, where)
    wrong = _wrong_type(hint, raw) or _out_of_range(facts, raw) or (facts["check"](raw) if facts["check"] else None)
    if wrong:
        problems.add(where, wrong)
        return None
    return float(raw) if hint is float else raw


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(hint) if one is not type(None))
    return hint


def _table(cls: Any, raw: Any, problems: Problems, where: str) -> Any:
    if not isinstance(raw, dict):
        problems.add(where, f"must be a table, not {_kind(raw)}")
        return None
    return read_settings(cls, raw, problems, where)


def _array(item: Any, field: dataclasses.Field[Any], raw: Any, problems: Problems, where: str) -> Any:
    if not isinstance(raw, list):
        kind = "an array of tables ([[…]])" if dataclasses.is_dataclass(item) else "an array"
        problems.add(where, f"must be {kind}, not {_kind(raw)}")
        return None
    low = field.metadata["minimum"]
    if low is not None and len(raw) < low:
        problems.add(where, f"has {len(raw)} items; must have at least {low}")
    if dataclasses.is_dataclass(item):
        return tuple(_table(item, one, problems, f"{where}[{index}]") for index, one in enumerate(raw))
    for index, one in enumerate(raw):
        check = field.metadata["check"]
        wrong = _wrong_type(item, one) or (check(one) if check else None)
        if wrong:
            problems.add(f"{where}[{index}]", wrong)
    return tuple(raw)


_KINDS = {str: "text", int: "an integer", float: "a number", bool: "true or false"}


def _kind(raw: Any) -> str:
    return {**_KINDS, dict: "a table", list: "an array"}.get(type(raw), type(raw).__name__)


def _wrong_type(hint: Any, raw: Any) -> str | None:
    allowed = (int, float) if hint is float else (hint,)
    if isinstance(raw, allowed) and (hint is bool or not isinstance(raw, bool)):
        if isinstance(raw, float) and not math.isfinite(raw):
            return "must be a finite number"
        if isinstance(raw, str) and "\0" in raw:
            return "must be text without NUL characters"
        if isinstance(raw, int) and not -(1 << 63) <= raw < 1 << 63:
            return "must be a number of 64 bits, as TOML has them"
        return None
    return f"must be {_KINDS[hint]}, not {_kind(raw)}"


def _out_of_range(facts: Mapping[str, Any], raw: Any) -> str | None:
    low, high, choices = facts["minimum"], facts["maximum"], facts["choices"]
    if choices is not None and raw not in choices:
        return f"is {raw!r}; one of: {', '.join(choices)}"
    size = len(raw) if isinstance(raw, str) else raw
    unit = " characters" if isinstance(raw, str) else ""
    if (low is not None and size < low) or (high is not None and size > high):
        if low is not None and high is not None:
            legal = f"from {low} to {high}"
        else:
            legal = f"at least {low}" if low is not None else f"at most {high}"
        return f"is {raw!r}; must be {legal}{unit}"
    return None


def parse_folder(raw: Any) -> Path:
    """A folder's path, as it is written. Raises ValueError with a sentence."""
    return _path(raw, "folder")


def parse_file(raw: Any) -> Path:
    """A file's path, as it is written. Raises ValueError with a sentence."""
    return _path(raw, "file")


def _path(raw: Any, kind: str) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError(f"must be a {kind}'s path")
    return Path(raw)


def parse_public_key(raw: Any) -> bytes:
    """32 bytes from padded base64 (RFC 4648 section 4), as DESIGN 11 writes public keys.

    Raises ValueError with a sentence.
    """
    mend = "must be 44 characters of padded base64 (32 bytes), as `wayside init` prints it"
    if not isinstance(raw, str):
        raise ValueError(mend)  # noqa: TRY004 - one kind of error for every unusable value
    try:
        key = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(mend) from error
    if len(key) != 32:  # noqa: PLR2004 - an Ed25519 or X25519 public key
        raise ValueError(f"is {len(key)} bytes; {mend}")
    return key
