"""What we emit is accepted by software that is not ours, and refused once it is tampered with.

Each third party runs in an environment of its own, made by `make test`: cwt needs an older cbor2 than ours.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger_sync.proof import cose
from ledger_sync.proof.merkle import leaf_hash
from ledger_sync.proof.receipt import parse_vdp
from tests.support.city_of_proofs import GATEWAY_KEY, LEDGER_KEY, OTHER_KEY, build, root_over

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILT = build()
ROOT_OF_BATCH = cose.parse(BUILT.anchor).payload or b""


def ask(script: str, variable: str, environment: str, cases: list[dict[str, Any]]) -> list[Any]:
    """The third party's answers. Skips the test where its environment has not been made."""
    python = Path(os.environ.get(variable, ROOT / "build" / environment / "bin" / "python"))
    if not python.exists():
        pytest.skip(f"no {python}; `make test` makes it, or name another Python with {variable}")
    answer = subprocess.run(
        [python, "-I", HERE / script],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    answers: list[Any] = json.loads(answer.stdout)
    assert len(answers) == len(cases)
    return answers


def ask_scitt(*cases: tuple[bytes, bytes, bytes]) -> list[bool]:
    """Whether scitt-cose accepts each (receipt, entry, public key)."""
    named = [{"receipt": receipt.hex(), "entry": entry.hex(), "public_key": key.hex()} for receipt, entry, key in cases]
    return ask("scitt_receipts.py", "WAYSIDE_SCITT_PYTHON", "venv-scitt", named)


def ask_cwt(*cases: tuple[bytes, bytes | None, bytes]) -> list[bytes | None]:
    """The payload that cwt verified for each (envelope, detached payload or None, public key); None if it refused."""
    named = [
        {
            "envelope": envelope.hex(),
            "payload": payload.hex() if payload else None,
            "public_key": key.hex(),
            "kid": cose.key_id(key).hex(),
        }
        for envelope, payload, key in cases
    ]
    answers = ask("cwt_signatures.py", "WAYSIDE_CWT_PYTHON", "venv-cwt", named)
    return [bytes.fromhex(answer) if answer is not None else None for answer in answers]


def flipped(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]


def test_scitt_cose_accepts_both_receipts_at_every_place_of_a_batch() -> None:
    proofs = [build(place=place, count=5, entry=place, log_size=5) for place in range(5)]
    proofs += [build(place=0, count=1, entry=0, log_size=1), build(place=0, count=10_000, entry=9_999, log_size=10_000)]
    inner = [(built.inner, built.statement, GATEWAY_KEY.public) for built in proofs]
    ledger = [(built.receipt, built.anchor, LEDGER_KEY.public) for built in proofs]
    assert ask_scitt(*inner, *ledger) == [True] * 14


def test_scitt_cose_accepts_them_for_their_entry_and_their_key_only() -> None:
    other = build(event_fields={3: 78})
    assert (
        ask_scitt(
            (BUILT.inner, other.statement, GATEWAY_KEY.public),
            (BUILT.inner, flipped(BUILT.statement, 200), GATEWAY_KEY.public),
            (BUILT.inner, BUILT.statement, OTHER_KEY.public),
            (flipped(BUILT.inner, 100), BUILT.statement, GATEWAY_KEY.public),
            (BUILT.receipt, other.anchor, LEDGER_KEY.public),
            (BUILT.receipt, flipped(BUILT.anchor, 100), LEDGER_KEY.public),
            (BUILT.receipt, BUILT.anchor, GATEWAY_KEY.public),
            (flipped(BUILT.receipt, 60), BUILT.anchor, LEDGER_KEY.public),
        )
        == [False] * 8
    )


def test_cwt_verifies_the_signatures_of_event_anchor_and_receipts() -> None:
    event, receipt = cose.parse(BUILT.statement), cose.parse(BUILT.receipt)
    log_root = replace(receipt, unprotected={}).encode()
    batch_root = replace(cose.parse(BUILT.inner), unprotected={}).encode()
    root = root_over(leaf_hash(BUILT.anchor), parse_vdp(receipt.unprotected[396]))
    assert ask_cwt(
        (BUILT.statement, None, GATEWAY_KEY.public),
        (BUILT.anchor, None, GATEWAY_KEY.public),
        (batch_root, ROOT_OF_BATCH, GATEWAY_KEY.public),
        (log_root, root, LEDGER_KEY.public),
    ) == [event.payload, ROOT_OF_BATCH, ROOT_OF_BATCH, root]


def test_cwt_refuses_what_was_tampered_with() -> None:
    assert (
        ask_cwt(
            (flipped(BUILT.statement, len(BUILT.statement) - 100), None, GATEWAY_KEY.public),
            (flipped(BUILT.statement, len(BUILT.statement) - 1), None, GATEWAY_KEY.public),
            (flipped(BUILT.anchor, len(BUILT.anchor) - 70), None, GATEWAY_KEY.public),
            (BUILT.statement, None, OTHER_KEY.public),
            (replace(cose.parse(BUILT.inner), unprotected={}).encode(), bytes(32), GATEWAY_KEY.public),
        )
        == [None] * 5
    )
