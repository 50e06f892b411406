"""`init` of a gateway and of a ledger: the same act with another key file."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

from edge.cli.exits import DONE, print_json, print_line
from ledger_sync.proof.keyfile import load_key, make_key

if TYPE_CHECKING:
    from pathlib import Path


def ensure_sample(path: Path, sample: str) -> None:
    """Write a commented sample where there is no file. Never overwrites."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(sample)
    except FileExistsError:
        return
    sys.stderr.write(f"wayside: wrote a sample configuration to {path}; adapt it\n")


def ensure_identity(name: str, key_path: Path, *, as_json: bool, table: str) -> int:
    """Make the key if there is none, and print who this is; `table` is where the other side enters it."""
    is_new = make_key(key_path)
    key = load_key(key_path)
    public_key = base64.b64encode(key.public_key).decode()
    if as_json:
        print_json({"id": name, "public_key": public_key, "fingerprint": key.fingerprint})
        return DONE
    print_line(f"{'made' if is_new else 'kept'} the key {key_path}; fingerprint {key.fingerprint}")
    print_line("for the other side's configuration, and for trust.toml:")
    print_line(f'\n[[{table}]]\nid = "{name}"\npublic_key = "{public_key}"')
    return DONE
