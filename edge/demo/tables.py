"""Tables that several of the demo's configurations have: where the broker is, and whose keys count."""

from __future__ import annotations

import base64

LEDGER = "ledger-1"


def broker_table(port: int) -> str:
    """`[broker]`, on this machine."""
    return f'\n[broker]\nurl = "mqtt://127.0.0.1:{port}"\n\n'


def key_table(name: str, id_: str, public_key: bytes) -> str:
    """`[[gateway]]` or `[[ledger]]`."""
    return f'[[{name}]]\nid = "{id_}"\npublic_key = "{base64_text(public_key)}"\n\n'


def base64_text(key: bytes) -> str:
    """A key as configurations have it."""
    return base64.b64encode(key).decode()
