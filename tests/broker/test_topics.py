from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from broker import topics
from broker.topics import ANCHOR, HEALTH, RECEIPT, STATUS, TOPICS, BatchAddress, Topic

JOURNAL = bytes.fromhex("00112233445566778899aabbccddeeff")
ROWS = st.sampled_from([ANCHOR, RECEIPT])
IDS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
ADDRESSES = st.builds(
    BatchAddress, IDS, st.binary(min_size=16, max_size=16), st.integers(min_value=1, max_value=topics.BATCH_MAX)
)
ANCHOR_TOPIC = f"wayside/v1/demo/up/gw-1/anchor/{JOURNAL.hex()}/7"


def test_the_documentation_is_the_table() -> None:
    written = Path(topics.__file__).with_name("TOPICS.md").read_text(encoding="utf-8")
    assert written == topics.topics_markdown(), "run: python -m broker.topics > broker/TOPICS.md"


def test_topics_are_spelled_as_the_design_has_them() -> None:
    address = BatchAddress("gw-1", JOURNAL, 7)
    assert topics.gateway_topic(STATUS, "demo", "gw-1") == "wayside/v1/demo/up/gw-1/status"
    assert topics.gateway_topic(HEALTH, "demo", "gw-1") == "wayside/v1/demo/up/gw-1/health"
    assert topics.batch_topic(ANCHOR, "demo", address) == ANCHOR_TOPIC
    assert topics.batch_topic(RECEIPT, "demo", address) == f"wayside/v1/demo/dn/gw-1/receipt/{JOURNAL.hex()}/7"
    assert topics.batch_filter(ANCHOR, "demo") == "wayside/v1/demo/up/+/anchor/+/+"
    assert topics.batch_filter(RECEIPT, "demo", "gw-1") == "wayside/v1/demo/dn/gw-1/receipt/+/+"


def test_gateways_write_only_up_and_read_only_down() -> None:
    for row in TOPICS:
        branch = "up/<gateway>/" if row.writer == "gateway" else "dn/<gateway>/"
        assert row.pattern.startswith(branch)


@given(ROWS, ADDRESSES)
def test_what_is_made_is_parsed_and_matched_by_its_filter(row: Topic, address: BatchAddress) -> None:
    topic = topics.batch_topic(row, "city.example", address)
    assert topics.parse_batch_topic(row, "city.example", topic) == address
    assert topic_matches_sub(topics.batch_filter(row, "city.example"), topic)
    assert topic_matches_sub(topics.batch_filter(row, "city.example", address.gateway), topic)


@given(ROWS, st.text(alphabet="/updngw-1anchoreceip0123456789abcdefABCDEF+#\u0661 \n", max_size=80))
def test_what_is_parsed_is_the_one_spelling(row: Topic, tail: str) -> None:
    topic = f"wayside/v1/demo/{tail}"
    address = topics.parse_batch_topic(row, "demo", topic)
    assert address is None or topics.batch_topic(row, "demo", address) == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "wayside/v1/demo",
        ANCHOR_TOPIC.replace("demo", "other"),
        ANCHOR_TOPIC.replace("up/", "dn/"),
        ANCHOR_TOPIC.replace("anchor", "receipt"),
        ANCHOR_TOPIC.replace("gw-1", "GW-1"),
        ANCHOR_TOPIC.replace("gw-1", "g" * 33),
        ANCHOR_TOPIC.replace("gw-1", ""),
        ANCHOR_TOPIC.replace("aabb", "AABB"),
        ANCHOR_TOPIC.replace("aabb", ""),
        ANCHOR_TOPIC + "/",
        ANCHOR_TOPIC + "\n",
        ANCHOR_TOPIC.removesuffix("7") + "0",
        ANCHOR_TOPIC.removesuffix("7") + "07",
        ANCHOR_TOPIC.removesuffix("7") + "+7",
        ANCHOR_TOPIC.removesuffix("7") + "-7",
        ANCHOR_TOPIC.removesuffix("7") + "\u0667",
        ANCHOR_TOPIC.removesuffix("7") + "9223372036854775808",
        "/" + ANCHOR_TOPIC,
    ],
)
def test_foreign_and_malformed_topics_are_none(topic: str) -> None:
    assert topics.parse_batch_topic(ANCHOR, "demo", ANCHOR_TOPIC) == BatchAddress("gw-1", JOURNAL, 7)
    assert topics.parse_batch_topic(ANCHOR, "demo", topic) is None


@pytest.mark.parametrize(
    ("city", "gateway"), [("demo", "+"), ("demo", "a/b"), ("demo", "#"), ("+", "gw-1"), ("", "gw-1")]
)
def test_a_name_that_would_widen_a_topic_is_refused(city: str, gateway: str) -> None:
    with pytest.raises(ValueError, match=r"^(city|gateway) is"):
        topics.gateway_topic(STATUS, city, gateway)
    with pytest.raises(ValueError, match=r"^(city|gateway) is"):
        topics.batch_filter(RECEIPT, city, gateway)


@pytest.mark.parametrize(("journal", "batch"), [(JOURNAL[:15], 1), (JOURNAL, 0), (JOURNAL, 2**63)])
def test_a_batch_that_no_topic_can_name_is_refused(journal: bytes, batch: int) -> None:
    with pytest.raises(ValueError, match="has no topic"):
        topics.batch_topic(ANCHOR, "demo", BatchAddress("gw-1", journal, batch))


def test_a_publication_has_its_rows_properties() -> None:
    receipt = RECEIPT.publication("t", b"r")
    assert (receipt.qos, receipt.retain, receipt.expiry_s) == (1, False, 604_800)
    assert receipt.content_type == 'application/cose; cose-type="cose-sign1"'
