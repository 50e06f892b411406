"""Run in an environment that has `cwt` and nothing of ours: does it accept our signatures?

stdin: a JSON list of {"envelope", "payload", "public_key", "kid"} in hex, the payload null where it is attached.
stdout: a JSON list of the payloads in hex, null where cwt refused.
"""

import json
import sys
from typing import Any

from cwt import COSE, COSEKey  # type: ignore[import-not-found]
from cwt.exceptions import CWTError  # type: ignore[import-not-found]


def verified(case: dict[str, Any]) -> str | None:
    key = COSEKey.new({1: 1, 2: bytes.fromhex(case["kid"]), 3: -8, -1: 6, -2: bytes.fromhex(case["public_key"])})
    detached = bytes.fromhex(case["payload"]) if case["payload"] else None
    try:
        payload = COSE.new().decode(bytes.fromhex(case["envelope"]), key, detached_payload=detached)
    except (CWTError, ValueError):
        return None
    return bytes(payload).hex()


json.dump([verified(case) for case in json.load(sys.stdin)], sys.stdout)
