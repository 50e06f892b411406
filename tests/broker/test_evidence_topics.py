from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from broker.evidence_topics import (
    OFFSET_MAX,
    EvidenceAddress,
    evidence_filter,
    evidence_topic,
    parse_evidence_topic,
)
from broker.topics import EVIDENCE_ANSWER, EVIDENCE_CHUNK, EVIDENCE_KEPT, EVIDENCE_OFFER, Topic

ID = "00112233445566778899aabbccddeeff"
ROWS = (EVIDENCE_OFFER, EVIDENCE_CHUNK, EVIDENCE_ANSWER, EVIDENCE_KEPT)
CHUNK_TOPIC = f"wayside/v1/demo/up/gw-1/evidence/{ID}/raw/65536"
IDS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
CHUNKS = st.builds(
    EvidenceAddress,
    IDS,
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.from_regex(r"[a-z]{1,16}", fullmatch=True),
    st.integers(0, OFFSET_MAX),
)


def test_topics_are_spelled_as_the_table_has_them() -> None:
    address = EvidenceAddress("gw-1", ID)
    assert evidence_topic(EVIDENCE_OFFER, "demo", address) == f"wayside/v1/demo/up/gw-1/evidence/{ID}/offer"
    assert evidence_topic(EVIDENCE_CHUNK, "demo", address._replace(object="raw", offset=65536)) == CHUNK_TOPIC
    assert evidence_topic(EVIDENCE_ANSWER, "demo", address) == f"wayside/v1/demo/dn/gw-1/evidence/{ID}"
    assert evidence_topic(EVIDENCE_KEPT, "demo", address) == f"wayside/v1/demo/dn/gw-1/kept/evidence/{ID}"
    assert evidence_filter(EVIDENCE_CHUNK, "demo") == "wayside/v1/demo/up/+/evidence/+/+/+"
    assert evidence_filter(EVIDENCE_KEPT, "demo", "gw-1") == "wayside/v1/demo/dn/gw-1/kept/evidence/+"


@given(CHUNKS, st.sampled_from(ROWS))
def test_what_is_made_is_parsed_and_matched_by_its_own_filter_only(chunk: EvidenceAddress, row: Topic) -> None:
    address = chunk if row is EVIDENCE_CHUNK else EvidenceAddress(chunk.gateway, chunk.evidence)
    topic = evidence_topic(row, "city.example", address)
    for other in ROWS:
        is_own = other is row
        assert parse_evidence_topic(other, "city.example", topic) == (address if is_own else None)
        assert topic_matches_sub(evidence_filter(other, "city.example"), topic) == is_own


@pytest.mark.parametrize(
    "topic",
    [
        "",
        CHUNK_TOPIC.replace("demo", "other"),
        CHUNK_TOPIC.replace("up/", "dn/"),
        CHUNK_TOPIC.replace("evidence", "anchor"),
        CHUNK_TOPIC.replace("gw-1", "GW-1"),
        CHUNK_TOPIC.replace("gw-1", ""),
        CHUNK_TOPIC.replace("aabb", "AABB"),
        CHUNK_TOPIC.replace("aabb", ""),
        CHUNK_TOPIC.replace(ID, "../" + ID[3:]),
        CHUNK_TOPIC.replace("raw", "Raw"),
        CHUNK_TOPIC.replace("raw", ""),
        CHUNK_TOPIC.replace("65536", "065536"),
        CHUNK_TOPIC.replace("65536", "-1"),
        CHUNK_TOPIC.replace("65536", "2147483648"),
        CHUNK_TOPIC.replace("65536", "\u0667"),
        CHUNK_TOPIC + "/",
        CHUNK_TOPIC + "\n",
    ],
)
def test_foreign_and_malformed_topics_are_none(topic: str) -> None:
    assert parse_evidence_topic(EVIDENCE_CHUNK, "demo", CHUNK_TOPIC) == EvidenceAddress("gw-1", ID, "raw", 65536)
    assert parse_evidence_topic(EVIDENCE_CHUNK, "demo", topic) is None


@pytest.mark.parametrize(
    "address",
    [
        EvidenceAddress("gw-1", ID[:-1], "raw", 0),
        EvidenceAddress("gw-1", "+" * 32, "raw", 0),
        EvidenceAddress("gw-1", ID, "a/b", 0),
        EvidenceAddress("gw-1", ID, "raw", -1),
        EvidenceAddress("+", ID, "raw", 0),
    ],
)
def test_an_address_that_no_topic_can_name_is_refused(address: EvidenceAddress) -> None:
    with pytest.raises(ValueError, match=r"no such topic|gateway is"):
        evidence_topic(EVIDENCE_CHUNK, "demo", address)
    with pytest.raises(ValueError, match="a name is"):
        evidence_filter(EVIDENCE_CHUNK, "demo", "a/b")
