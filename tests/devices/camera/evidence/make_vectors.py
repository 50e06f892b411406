"""Golden vectors of evidence: `python -m tests.devices.camera.evidence.make_vectors` writes evidence.json anew.

Sealing is random, so what is written differs each time; what is stored is to be opened by every later version.
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from devices.camera.evidence.sealed import sealing_kid
from devices.camera.evidence.sets import RawFrame, RawSet, WorkingSet
from ledger_sync.proof.report import data_to_json
from tests.edge.journals import GATEWAY_KEY
from tests.support.offered_evidence import make_offered
from tests.support.violation import CALIBRATION, OVERSIGHT, PLATE, SPEEDING, TRAFFIC, raw_set, working_set

HERE = Path(__file__).parent


def make() -> dict[str, Any]:
    """A violation: all files of its folder, the keys, and what is inside."""
    picture = b"\xff\xd8\xff the working picture"
    frames = tuple(
        RawFrame(b"\xff\xd8\xff frame %d" % number, one.presentation_us, one.utc_us)
        for number, one in enumerate(raw_set().frames, 1)
    )
    working = WorkingSet(picture, working_set().plate)
    raw = RawSet(frames, raw_set().points, CALIBRATION, {"software": "wayside"})
    with tempfile.TemporaryDirectory() as name:
        offered = make_offered(Path(name), working, raw)
        files = {path.name: path.read_bytes() for path in sorted(offered.folder.iterdir())}
    wanted = ("statement.cose", "manifest.cbor", "working.sealed", "raw.sealed")
    return {
        "gateway_public_key": GATEWAY_KEY.public_key.hex(),
        "keys": {
            role: {"secret": bytes(key).hex(), "kid": sealing_kid(bytes(key.public_key)).hex()}
            for role, key in (("traffic", TRAFFIC), ("oversight", OVERSIGHT))
        },
        "files": {name: base64.b64encode(files[name]).decode() for name in wanted},
        "offer": base64.b64encode(offered.offer.encode()).decode(),
        "id": offered.manifest.id.hex(),
        "plate": PLATE,
        "data": data_to_json(SPEEDING),
        "picture": picture.hex(),
        "raw_files": {f"frame-{number:02}.jpg": one.picture.hex() for number, one in enumerate(frames, 1)},
    }


if __name__ == "__main__":
    (HERE / "evidence.json").write_text(json.dumps(make(), indent=2) + "\n", encoding="utf-8")
