"""The calibration file as text, from a table as the local page makes it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def toml_text(table: Mapping[str, Any]) -> str:
    """TOML of a table whose own keys come first, then its tables, then its arrays of tables."""
    blocks = [_pairs(table)]
    for name, value in table.items():
        if isinstance(value, dict):
            blocks.append(f"[{name}]\n{_pairs(value)}")
        elif _is_tables(value):
            blocks += [f"[[{name}]]\n{_pairs(row)}" for row in value]
    return "\n".join(block for block in blocks if block)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _pairs(table: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict) and not _is_tables(value)}
    return "".join(f"{key} = {_value(value)}\n" for key, value in plain.items() if value != [])


def _value(value: Any) -> str:
    # JSON of text, numbers and lists of them is TOML too, once only ASCII controls are escaped in text.
    return value.isoformat() if isinstance(value, dt.date) else json.dumps(value, ensure_ascii=False)
