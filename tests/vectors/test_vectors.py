import json
from pathlib import Path
from typing import Any

import pytest

from ledger_sync.proof import cbor
from ledger_sync.proof.errors import CborError, RefusedError
from ledger_sync.proof.report import as_json, refusal_as_json
from ledger_sync.proof.trust import load_trust
from ledger_sync.proof.verify import verify
from tests.vectors.make import files

HERE = Path(__file__).parent


def stored(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", files())
def test_what_is_emitted_today_is_what_was_emitted_before(name: str) -> None:
    message = "a format has changed: give it a new version, or run `python -m tests.vectors.make` if it is a new vector"
    assert (HERE / name).read_text(encoding="utf-8") == files()[name], message


def test_no_vector_is_left_over() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix in (".json", ".toml")} == files().keys()


@pytest.mark.parametrize("case", stored("cbor.json")["valid"], ids=lambda case: case["name"])
def test_an_encoding_is_decoded_and_encoded_again(case: dict[str, str]) -> None:
    raw = bytes.fromhex(case["encoding"])
    assert cbor.encode(cbor.decode(raw)) == raw


@pytest.mark.parametrize("case", stored("cbor.json")["invalid"], ids=lambda case: case["name"])
def test_an_encoding_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(CborError) as caught:
        cbor.decode(bytes.fromhex(case["encoding"]))
    assert str(caught.value) == case["why"]


@pytest.mark.parametrize("case", stored("verify.json"), ids=lambda case: case["name"])
def test_a_stored_statement_is_judged_under_the_stored_trust_file(case: dict[str, Any]) -> None:
    try:
        told = as_json(verify(bytes.fromhex(case["statement"]), load_trust(HERE / "trust.toml")))
    except RefusedError as error:
        told = refusal_as_json(error)
    assert told == case["verify"]
