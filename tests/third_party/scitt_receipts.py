"""Run in an environment that has `scitt-cose` and nothing of ours: does it accept our receipts?

stdin: a JSON list of {"receipt", "entry", "public_key"}, all hex. stdout: a JSON list of true or false.
"""

import json
import sys

from cryptography.hazmat.primitives import serialization  # type: ignore[import-not-found]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # type: ignore[import-not-found]
from scitt_cose import verify_receipt  # type: ignore[import-not-found]


def accepted(case: dict[str, str]) -> bool:
    pem = Ed25519PublicKey.from_public_bytes(bytes.fromhex(case["public_key"])).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    result = verify_receipt(bytes.fromhex(case["receipt"]), leaf_entry_hex=case["entry"], log_public_key_pem=pem)
    return bool(result.ok)


json.dump([accepted(case) for case in json.load(sys.stdin)], sys.stdout)
