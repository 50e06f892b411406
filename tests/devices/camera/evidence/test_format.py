"""The stored vectors are opened, and what is emitted is as evidence.cddl says."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

import devices.camera.evidence
from devices.camera.evidence.errors import EvidenceFormatError
from devices.camera.evidence.manifest import parse_manifest
from devices.camera.evidence.parts import SET_BYTES_MAX
from devices.camera.evidence.sealed import SEALED_BYTES_MAX, open_sealed, parse_sealed
from edge.evidence.messages import Answer, Offer, Refusal, parse_answer, parse_offer
from edge.evidence.opening import open_evidence
from ledger_sync.proof import cbor
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.trust import GatewayKey

pycddl = pytest.importorskip("pycddl", reason="no wheel of pycddl for this machine")

HERE = Path(__file__).parent
STORED: dict[str, Any] = json.loads((HERE / "evidence.json").read_text(encoding="utf-8"))
FILES = {name: base64.b64decode(content) for name, content in STORED["files"].items()}
KEYS = {role: [PrivateKey(bytes.fromhex(one["secret"]))] for role, one in STORED["keys"].items()}
CDDL = (Path(devices.camera.evidence.__path__[0]) / "evidence.cddl").read_text(encoding="utf-8")


@cache
def schema(rule: str) -> Any:
    return pycddl.Schema(f"start = {rule}\n{CDDL}")


def index_of(clear: bytes) -> bytes:
    return clear[4 : 4 + int.from_bytes(clear[:4], "big")]


def header_of(sealed: bytes) -> bytes:
    return sealed[18 : 18 + int.from_bytes(sealed[16:18], "big")]


def emitted() -> dict[str, list[bytes]]:
    """What is stored, by the rule of the schema that it is to follow."""
    objects = [FILES["working.sealed"], FILES["raw.sealed"]]
    return {
        "manifest": [FILES["manifest.cbor"]],
        "sealed-header": [header_of(one) for one in objects],
        "set-index": [index_of(open_sealed(parse_sealed(one), KEYS)) for one in objects],
        "offer": [base64.b64decode(STORED["offer"])],
        "answer": [
            Answer(bytes(32), {"working": 0, "raw": 70_000}).encode(),
            *(Answer(bytes(32), refusal=one).encode() for one in Refusal),
        ],
    }


def test_what_was_sealed_by_this_version_is_opened_and_verified(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    gateway = GatewayKey("gw-1", bytes.fromhex(STORED["gateway_public_key"]))
    opened = open_evidence(tmp_path, KEYS, (gateway,))
    assert opened.manifest.id.hex() == STORED["id"]
    assert opened.working.picture.hex() == STORED["picture"]
    assert opened.working.plate is not None
    assert opened.working.plate.text == STORED["plate"]
    assert opened.raw is not None
    assert {name: opened.raw[name].hex() for name in STORED["raw_files"]} == STORED["raw_files"]


def test_the_event_signs_the_stored_manifest_and_its_encoding_is_the_only_one() -> None:
    raw = FILES["manifest.cbor"]
    assert sha256(raw).digest() in FILES["statement.cose"]
    assert parse_manifest(raw).encode() == raw
    offer = Offer(FILES["statement.cose"], raw)
    assert offer.encode() == base64.b64decode(STORED["offer"])
    assert parse_offer(offer.encode()) == offer


@pytest.mark.parametrize("rule", ["manifest", "sealed-header", "set-index", "offer", "answer"])
def test_what_is_emitted_is_as_the_schema_says_and_nothing_of_another_kind_is(rule: str) -> None:
    for kind, encodings in emitted().items():
        if (rule, kind) == ("answer", "set-index"):
            continue  # pycddl 0.6 panics at bytes where a map should be
        for raw in encodings:
            if kind == rule:
                schema(rule).validate_cbor(raw)
            else:
                with pytest.raises((pycddl.ValidationError, ValueError)):
                    schema(rule).validate_cbor(raw)


def test_the_schema_has_the_bounds_and_the_refusals_of_the_code() -> None:
    assert f"set-size = 1..{SET_BYTES_MAX}\n" in CDDL
    assert f"sealed-size = 1..{SEALED_BYTES_MAX}\n" in CDDL
    refusals = CDDL.partition("refusal = ")[2].partition("\n\n")[0]
    assert re.findall(r'"([a-z-]+)"', refusals) == [one.value for one in Refusal]


def fields() -> dict[int, Any]:
    manifest: dict[int, Any] = cbor.decode(FILES["manifest.cbor"])
    return manifest


@pytest.mark.parametrize(
    "change",
    [
        {1: 2},
        {1: True},
        {2: bytes(15)},
        {3: []},
        {3: {}},
        {4: 0},
        {3: 2 * fields()[3]},
        {3: [{**fields()[3][0], 1: "Working"}]},
        {3: [{**fields()[3][0], 2: bytes(31)}]},
        {3: [{**fields()[3][0], 3: 0}]},
        {3: [{**fields()[3][0], 3: SET_BYTES_MAX + 1}]},
        {3: [{**fields()[3][0], 5: SEALED_BYTES_MAX + 1}]},
        {3: [{**fields()[3][0], 5: True}]},
        {3: [{**fields()[3][0], 6: []}]},
        {3: [{**fields()[3][0], 6: ["a", 1]}]},
        {3: [{**fields()[3][0], 7: 0}]},
    ],
)
def test_a_manifest_with_anything_else_in_it_is_refused(change: dict[int, Any]) -> None:
    with pytest.raises(EvidenceFormatError):
        parse_manifest(cbor.encode({**fields(), **change}))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {1: bytes(32)},
        {1: bytes(31), 2: {}},
        {1: bytes(32), 2: {"raw": -1}},
        {1: bytes(32), 2: {"raw": True}},
        {1: bytes(32), 2: {1: 1}},
        {1: bytes(32), 2: {}, 3: "full"},
        {1: bytes(32), 3: "whatever"},
        {1: bytes(32), 3: "full", 4: 0},
    ],
)
def test_an_answer_with_anything_else_in_it_is_refused(value: Any) -> None:
    with pytest.raises(ProofError):
        parse_answer(cbor.encode(value))


def test_messages_over_their_bounds_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(ProofError, match="at most"):
        parse_answer(bytes(513))
    with pytest.raises(ProofError, match="at most"):
        parse_offer(bytes(8193))
