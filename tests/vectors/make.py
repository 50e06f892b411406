"""Golden vectors of every format: `python -m tests.vectors.make` writes them, tests/vectors/test_vectors.py compares.

A change of any byte here is a change of a format, and needs a new version in ledger_sync/FORMAT.md. Binary values are
hex; keys come from the seeds given; signatures are deterministic (RFC 8032).
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger_sync.proof import cbor, cose
from ledger_sync.proof.errors import CborError, RefusedError
from ledger_sync.proof.kept import make_kept
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.receipt import RefusalReason, make_refusal, parse_vdp
from ledger_sync.proof.report import as_json, data_to_json, refusal_as_json
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust
from ledger_sync.proof.verify import verify
from tests.support.city_of_proofs import ABSENT, GATEWAY_KEY, LEDGER_KEY, LOGGED_S, build

HERE = Path(__file__).parent
AUTHORITY_SEED = sha256(b"the authority's").digest()

CBOR_VALID = {
    "integers at every change of length": (
        "8b 00 17 1818 18ff 190100 19ffff 1a00010000 1b0000000100000000 1bffffffffffffffff 20 3bffffffffffffffff"
    ),
    "true, false and null": "83 f5 f4 f6",
    "bytes and text": "82 440001feff 65c3bce282ac",
    "decimals 1.50, 0.000, -1E-18 and 5": "84 c482211896 c4822200 c4823120 c4820005",
    "integer keys, private ones last": "a4 0000 186400 1a0001000000 3a0001000000",
    "text keys, the shorter first": "a3 616200 62616100 6361616100",
    "eight levels": "81818181 81818181 00",
}
CBOR_INVALID = {
    "empty": "",
    "ends too early": "8200",
    "bytes after the end": "0000",
    "integer not in its shortest form": "1817",
    "length not in its shortest form": "580100",
    "indefinite length": "9f00ff",
    "float": "f93c00",
    "undefined": "f7",
    "text that is not UTF-8": "61ff",
    "repeated key": "a200000000",
    "keys out of order": "a201000000",
    "length-first key order": "a2 2000 186400",
    "keys of two kinds": "a200 00 616100",
    "boolean key": "a1f400",
    "bignum": "c24101",
    "unknown tag": "c100",
    "decimal with exponent 1": "c4820101",
    "decimal with exponent -19": "c4823201",
    "decimal over int64": "c482001b8000000000000000",
    "decimal of a boolean": "c48200f5",
    "decimal in a decimal": "c48200c4820001",
    "nine levels": "81818181 81818181 81 00",
}


def cbor_vectors() -> dict[str, Any]:
    """Encodings that decode, with their values as JSON tells them, and encodings that must be refused, with why."""
    valid = [
        {"name": name, "encoding": raw.hex(), "value": data_to_json(cbor.decode(raw))}
        for name, raw in ((name, bytes.fromhex(digits)) for name, digits in CBOR_VALID.items())
    ]
    return {"valid": valid, "invalid": [_invalid(name, bytes.fromhex(digits)) for name, digits in CBOR_INVALID.items()]}


def _invalid(name: str, raw: bytes) -> dict[str, str]:
    try:
        cbor.decode(raw)
    except CborError as error:
        return {"name": name, "encoding": raw.hex(), "why": str(error)}
    raise AssertionError(f"{name} is decoded")


def proof_vectors() -> dict[str, Any]:
    """One proof in all its parts, and a refusal."""
    built = build()
    claims = {1: "demo/ledger-1", 2: "log-1", 6: LOGGED_S}
    refusal = make_refusal(
        claims,
        sha256(built.anchor).digest(),
        RefusalReason.KEY_REVOKED,
        "the key of gw-1 is revoked from log entry 3 on; enrol a new one",
        LEDGER_KEY.kid,
        LEDGER_KEY.sign,
    )
    batch_root, receipt = cose.parse(built.anchor).payload, cose.parse(built.receipt)
    authority = SecretKey(AUTHORITY_SEED)
    kept = make_kept("demo", "traffic-1", LOGGED_S, built.statement, b"a manifest", authority)
    return {
        "keys": {
            name: {
                "seed": key.secret[:32].hex(),
                "public_key": key.public.hex(),
                "thumbprint": cose.thumbprint(key.public).hex(),
                "kid": key.kid.hex(),
            }
            for name, key in (("gateway", GATEWAY_KEY), ("ledger", LEDGER_KEY))
        },
        "event": {
            "protected": cose.parse(built.statement).protected.hex(),
            "payload": (cose.parse(built.statement).payload or b"").hex(),
            "statement": built.statement.hex(),
            "leaf": sha256(b"\x00" + built.statement).hexdigest(),
        },
        "batch": {"proof": built.batch_proof.encode().hex(), "root": (batch_root or b"").hex()},
        "anchor": {"anchor": built.anchor.hex(), "leaf": sha256(b"\x00" + built.anchor).hexdigest()},
        "inner_receipt": built.inner.hex(),
        "ledger_receipt": built.receipt.hex(),
        "log": {"proof": parse_vdp(receipt.unprotected[cose.VDP]).encode().hex()},
        "refusal": refusal.hex(),
        "kept": {
            "seed": AUTHORITY_SEED.hex(),
            "public_key": authority.public_key.hex(),
            "manifest": b"a manifest".hex(),
            "kept": kept.hex(),
        },
        "transparent_statement": built.transparent.hex(),
    }


def trust_toml() -> str:
    """The trust file that goes with them."""
    gateway, ledger = (b64encode(key.public).decode() for key in (GATEWAY_KEY, LEDGER_KEY))
    return (
        f'city = "demo"\n\n[[gateway]]\nid = "gw-1"\npublic_key = "{gateway}"\n\n'
        f'[[ledger]]\nid = "ledger-1"\npublic_key = "{ledger}"\n'
    )


def verify_vectors() -> list[dict[str, Any]]:
    """Statements, and what `verify --json` prints of each under trust.toml."""
    built = build()
    tap = {8: "fare.tap", 9: 1, 10: {"direction": "in", "token": "a1b2"}, 7: {1: 0, 3: "", 4: False}}
    first_of_all = {-65538: 1, -65539: ABSENT, -65541: 1, -65544: ABSENT}
    cases = {
        "a meter reading": built.transparent,
        "a tap, while the clock was unsynced": build(event_fields=tap).transparent,
        "the only event of a first batch, in a log of one entry": build(
            place=0, count=1, entry=0, log_size=1, event_fields={1: 1}, anchor_claims=first_of_all
        ).transparent,
        "evidence, and a passport": build(event_fields={11: [sha256(b"a file").digest()], 12: 100}).transparent,
        "that passport": build(
            place=0, event_fields={8: "device.passport", 10: {"place": "Harbour Road 12"}}
        ).transparent,
        "itself as its passport": build(event_fields={12: 102}).transparent,
        "a type that nobody knows yet": build(event_fields={8: "lift.ride", 10: {"floors": [1, None]}}).transparent,
        "empty": b"",
        "a bare event": built.statement,
        "the last byte is missing": built.transparent[:-1],
        "kWh became kWi": built.transparent.replace(b"kWh", b"kWi", 1),
        "another city's": build(city="other").transparent,
        "another place": replace(built, batch_proof=replace(built.batch_proof, index=3)).transparent,
        "another ledger's": build(ledger="ledger-2").transparent,
    }
    return [{"name": name, "statement": raw.hex(), "verify": _verdict(raw)} for name, raw in cases.items()]


def _verdict(raw: bytes) -> dict[str, Any]:
    trust = Trust("demo", (GatewayKey("gw-1", GATEWAY_KEY.public),), (LedgerKey("ledger-1", LEDGER_KEY.public),))
    try:
        return as_json(verify(raw, trust))
    except RefusedError as error:
        return refusal_as_json(error)


def files() -> dict[str, str]:
    """The content of every file here that is made."""
    vectors = {"cbor.json": cbor_vectors(), "proof.json": proof_vectors(), "verify.json": verify_vectors()}
    made = {name: json.dumps(one, indent=2, ensure_ascii=False) + "\n" for name, one in vectors.items()}
    return {**made, "trust.toml": trust_toml()}


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_text(content, encoding="utf-8")
