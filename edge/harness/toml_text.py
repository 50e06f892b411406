"""Values as TOML text (TOML 1.0.0): what the harness writes into configurations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def toml_table(header: str, values: Mapping[str, Any]) -> str:
    """A table or an element of an array of tables, such as `[[device]]`; what is nested in it is written inline."""
    return "\n".join([header, *(f"{_key(key)} = {_value(value)}" for key, value in values.items())]) + "\n"


def _key(key: str) -> str:
    return key if key.replace("_", "a").replace("-", "a").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    # A JSON string, number or boolean is one of TOML, too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
