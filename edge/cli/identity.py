"""`init` of a gateway, of a ledger and of an authority: the same act with another key file."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, NamedTuple

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
    """Make the event or ledger key if there is none, and print who this is; `table` is where the other side enters it.

    Raises KeyFileError.
    """
    is_new = make_key(key_path)
    key = load_key(key_path)
    identity = Identity(name, key.public_key, key.fingerprint, key_path, is_new)
    tell_identity(identity, as_json=as_json, table=table, where="the other side's configuration, and for trust.toml")
    return DONE


class Identity(NamedTuple):
    """Who somebody is: id, public key (32 bytes), its RFC 9679 thumbprint in hex; and the key's file, if it is new."""

    id: str
    public_key: bytes
    fingerprint: str
    key_path: Path
    is_new: bool


def tell_identity(identity: Identity, *, as_json: bool, table: str, where: str, **more: str) -> None:
    """Print who this is; `table`, with `more` in it (also part of the JSON), is what is entered in `where`."""
    public_key = base64.b64encode(identity.public_key).decode()
    if as_json:
        print_json({"id": identity.id, "public_key": public_key, "fingerprint": identity.fingerprint, **more})
        return
    print_line(
        f"{'made' if identity.is_new else 'kept'} the key {identity.key_path}; fingerprint {identity.fingerprint}"
    )
    print_line(f"for {where}:")
    lines = {"id": identity.id, **more, "public_key": public_key}
    print_line(f"\n[[{table}]]\n" + "\n".join(f'{name} = "{value}"' for name, value in lines.items()))
