"""wayside.cddl, held against the bytes that are emitted.

pycddl 0.6 carries a `.cbor` control over to the other members of an array, so it is not asked to look into byte
strings: the test decodes them and validates each against the rule that the schema names for it. Nor does it find a
map among the choices for a map's value; so the members of event data are validated one by one.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pytest

import ledger_sync.proof
from ledger_sync.proof import cbor
from ledger_sync.proof.kept import make_kept
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.receipt import RefusalReason, make_refusal
from tests.ledger_sync.proof.test_event_types import EXAMPLES
from tests.support.city_of_proofs import ABSENT, LEDGER_KEY, LOGGED_S, Plan, build

pycddl = pytest.importorskip("pycddl", reason="no wheel of pycddl for this machine")

TEXT = (Path(ledger_sync.proof.__path__[0]) / "wayside.cddl").read_text(encoding="utf-8")
EMBEDDED = r"bstr \.cbor ([a-z-]+)"
BUILT = build()
REFUSAL = make_refusal(
    {1: "demo/ledger-1", 2: "log-1", 6: LOGGED_S},
    bytes(32),
    RefusalReason.UNKNOWN_KEY,
    "no",
    LEDGER_KEY.kid,
    LEDGER_KEY.sign,
)
KEPT = make_kept("demo", "traffic-1", LOGGED_S, BUILT.statement, b"a manifest", SecretKey(bytes(32)))
WHOLE = {
    "event": BUILT.statement,
    "anchor": BUILT.anchor,
    "inner-receipt": BUILT.inner,
    "ledger-receipt": BUILT.receipt,
    "refusal": REFUSAL,
    "kept": KEPT,
    "transparent-statement": BUILT.transparent,
}
# What the byte strings of each hold, in the order in which they stand in it.
INSIDE = {
    "event": ("event-header", "event-payload"),
    "anchor": ("anchor-header",),
    "inner-receipt": ("anchor-header", "ledger-receipt", "inclusion-proof"),
    "ledger-receipt": ("receipt-header", "inclusion-proof"),
    "refusal": ("refusal-header", "refusal-payload"),
    "kept": ("kept-header", "kept-payload"),
    "transparent-statement": ("event-header", "inner-receipt", "event-payload"),
}


@cache
def schema(rule: str) -> Any:
    members_apart = TEXT.replace("data = {* tstr => value}", "data = {* tstr => any}")
    assert members_apart != TEXT
    return pycddl.Schema(f"start = {rule}\n" + re.sub(EMBEDDED, "bstr", members_apart))


def embedded(value: Any) -> list[bytes]:
    """The byte strings in an envelope that hold CBOR, in order: header, what is unprotected, payload."""
    header, unprotected, payload, _signature = value.value
    found = [header, *unprotected.get(394, ())]
    found += unprotected.get(396, {}).get(-1, ())
    return found + ([payload] if payload and len(payload) != 32 else [])


def validate(rule: str, raw: bytes) -> None:
    """Raises pycddl.ValidationError unless `raw`, and whatever stands in its byte strings, is as the schema says."""
    schema(rule).validate_cbor(raw)
    if rule == "event-payload":
        validate_members(cbor.decode(raw)[10])
    if rule in INSIDE:
        for inner_rule, inner in zip(INSIDE[rule], embedded(cbor2.loads(raw)), strict=True):
            validate(inner_rule, inner)


def validate_members(data: dict[str, Any]) -> None:
    for member in data.values():
        if isinstance(member, dict):
            validate_members(member)
        else:
            schema("value").validate_cbor(cbor.encode(member))


@pytest.mark.parametrize("rule", WHOLE)
def test_what_is_emitted_is_as_the_schema_says(rule: str) -> None:
    validate(rule, WHOLE[rule])


def test_the_test_looks_into_every_byte_string_that_the_schema_does() -> None:
    for rule, inside in INSIDE.items():
        definition = re.search(rf"^{rule} = #(?:.|\n)*?\n(?=\S+ =|\n)", TEXT, re.MULTILINE)
        assert definition is not None
        named = re.findall(EMBEDDED, definition[0]) + ["inclusion-proof"] * definition[0].count("proofs")
        assert sorted(named) == sorted(inside)


@pytest.mark.parametrize("rule", WHOLE)
@pytest.mark.parametrize("other", WHOLE)
def test_nothing_is_valid_as_anything_else(rule: str, other: str) -> None:
    if rule != other:
        with pytest.raises((pycddl.ValidationError, ValueError)):
            validate(rule, WHOLE[other])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_type_of_event_is_as_the_schema_says(kind: str) -> None:
    validate("event", Plan(event_fields={8: kind, 10: EXAMPLES[kind]}).event())


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ("event", Plan(event_labels={16: "wayside-anchor+cose"}).event()),
        ("event", Plan(event_labels={99: 0}).event()),
        ("event", Plan(event_labels={4: bytes(7)}).event()),
        ("event", Plan(event_claims={6: 0}).event()),
        ("event", Plan(event_claims={1: "demo"}).event()),
        ("event", Plan(event_fields={1: 0}).event()),
        ("event", Plan(event_fields={13: ABSENT}).event()),
        ("event", Plan(event_fields={13: 4}).event()),
        ("event", Plan(event_fields={14: 0}).event()),
        ("event", Plan(event_fields={7: {1: 0, 2: 5, 3: "ntp", 4: True}}).event()),
        ("event", Plan(event_fields={7: {1: 2, 3: "ntp", 4: True}}).event()),
        ("event", Plan(event_fields={10: {1: 2}}).event()),
        ("event", Plan(event_fields={11: []}).event()),
        ("event", Plan(event_fields={1: 1 << 32}).event()),
        ("event", Plan(event_fields={12: 0}).event()),
        ("event", Plan(event_fields={7: {1: 0, 3: "timeserve", 4: True}}).event()),
        ("anchor", Plan(anchor_labels={395: ABSENT}).anchor(bytes(32))),
        ("anchor", Plan(anchor_claims={-65540: 0}).anchor(bytes(32))),
        ("anchor", Plan(anchor_claims={-65544: None}).anchor(bytes(32))),
        ("anchor", Plan().anchor(bytes(31))),
        ("inner-receipt", build(anchor_claims={2: "batch"}).inner),
        ("inner-receipt", build(receipt_claims={6: ABSENT}).inner),
        ("ledger-receipt", build(receipt_claims={2: "LOG"}).receipt),
        ("ledger-receipt", build(receipt_labels={395: 2}).receipt),
        (
            "refusal",
            make_refusal({1: "a/b", 2: "c"}, bytes(32), RefusalReason.MALFORMED, "", bytes(8), LEDGER_KEY.sign),
        ),
        (
            "refusal",
            make_refusal({1: "a/b", 2: "c", 6: 0}, b"", RefusalReason.MALFORMED, "", bytes(8), LEDGER_KEY.sign),
        ),
        ("transparent-statement", build(event_fields={2: b""}).transparent),
        ("transparent-statement", build(anchor_claims={-65537: b""}).transparent),
        ("transparent-statement", build(receipt_claims={-65545: 0}).transparent),
    ],
)
def test_what_is_wrong_is_not_valid(rule: str, raw: bytes) -> None:
    with pytest.raises((pycddl.ValidationError, ValueError)):
        validate(rule, raw)


def test_the_schema_knows_every_reason_of_a_refusal() -> None:
    definition = TEXT.partition("refusal-reason = ")[2].partition("\n\n")[0]
    assert re.findall(r'"([a-z-]+)"', definition) == [reason.value for reason in RefusalReason]


@pytest.mark.parametrize("raw", ["f93c00", "c0613a"], ids=["float", "date"])
def test_a_value_of_another_kind_is_not_valid(raw: str) -> None:
    with pytest.raises((pycddl.ValidationError, ValueError)):
        schema("value").validate_cbor(bytes.fromhex(raw))
