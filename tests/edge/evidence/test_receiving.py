"""What an authority takes, and what it does not: the broker between is not trusted."""

from __future__ import annotations

import errno
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from broker.topics import EVIDENCE_ANSWER, EVIDENCE_KEPT
from devices.camera.evidence.sealed import sealing_kid
from edge.authority import AuthoritySettings, load_authority_settings
from edge.evidence import shelf as shelf_module
from edge.evidence.messages import Answer, Offer, Refusal, parse_answer
from edge.evidence.receiving import Receiver, Reply
from edge.evidence.shelf import Shelf
from ledger_sync.proof.cose import parse
from ledger_sync.proof.kept import is_kept_by, parse_kept
from ledger_sync.proof.keyfile import SecretKey
from tests.edge.journals import CITY, flipped
from tests.support.durability import watch_durability
from tests.support.offered_evidence import AUTHORITY_TOML, OfferedEvidence, make_offered
from tests.support.violation import KEYS, raw_set

if TYPE_CHECKING:
    from pathlib import Path

SIGNING_KEY = SecretKey(sha256(b"the authority's").digest())


@pytest.fixture
def settings(tmp_path: Path) -> AuthoritySettings:
    (tmp_path / "authority").mkdir()
    path = tmp_path / "authority" / "authority.toml"
    path.write_text(AUTHORITY_TOML)
    return load_authority_settings(path)


@pytest.fixture
def receiver(settings: AuthoritySettings) -> Receiver:
    return make_receiver(settings)


def make_receiver(settings: AuthoritySettings, bytes_max: int = 1 << 30) -> Receiver:
    shelf = Shelf(settings.data_dir, bytes_max)
    return Receiver(settings, shelf, SIGNING_KEY, sealing_kid(KEYS["traffic"]))


@pytest.fixture
def offered(tmp_path: Path) -> OfferedEvidence:
    return make_offered(tmp_path / "gateway")


def answer(replies: list[Reply]) -> Answer:
    (reply,) = replies
    assert reply.row is EVIDENCE_ANSWER
    return parse_answer(reply.payload)


def upload(receiver: Receiver, offered: OfferedEvidence) -> list[Reply]:
    """All of it, in order; what is answered last."""
    replies = receiver.take_offer(offered.address, offered.offer.encode())
    for address, content in offered.chunks():
        replies = receiver.take_chunk(address, content) or replies
    return replies


def is_kept(replies: list[Reply], offered: OfferedEvidence) -> bool:
    (reply,) = replies
    if reply.row is not EVIDENCE_KEPT:
        return False
    kept, offer = parse_kept(reply.payload), offered.offer
    return is_kept_by(kept, offer.statement, offer.manifest, CITY, "traffic-1", SIGNING_KEY.public_key)


def test_what_is_whole_is_kept_byte_for_byte_and_acknowledged_by_a_signature_over_both(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings
) -> None:
    assert is_kept(upload(receiver, offered), offered)
    folder = settings.data_dir / "evidence" / "gw-1" / offered.manifest.id.hex()
    for name in ("statement.cose", "manifest.cbor", "working.sealed", "raw.sealed"):
        assert (folder / name).read_bytes() == (offered.folder / name).read_bytes()
    assert list((settings.data_dir / "incoming").iterdir()) == []


def test_everything_is_on_the_disk_before_the_acknowledgement_is_given_away(
    receiver: Receiver, offered: OfferedEvidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = receiver.take_offer(offered.address, offered.offer.encode())
    happened = watch_durability(monkeypatch)
    for address, content in offered.chunks():
        replies = receiver.take_chunk(address, content) or replies
    assert is_kept(replies, offered)
    name = offered.manifest.id.hex()
    assert happened == [
        *(f"fsync {one}" for one in ("working.sealed", "raw.sealed", "kept.cose", f"gw-1-{name}", "evidence")),
        f"rename gw-1-{name} {name}",
        *("fsync gw-1", "fsync incoming"),
    ]


def test_an_acknowledgement_is_for_nothing_else(receiver: Receiver, offered: OfferedEvidence) -> None:
    (reply,) = upload(receiver, offered)
    kept, offer, key = parse_kept(reply.payload), offered.offer, SIGNING_KEY.public_key
    assert not is_kept_by(kept, offer.statement + b"x", offer.manifest, CITY, "traffic-1", key)
    assert not is_kept_by(kept, offer.statement, offer.manifest + b"x", CITY, "traffic-1", key)
    assert not is_kept_by(kept, offer.statement, offer.manifest, CITY, "traffic-2", key)
    assert not is_kept_by(kept, offer.statement, offer.manifest, "other", "traffic-1", key)
    assert not is_kept_by(kept, offer.statement, offer.manifest, CITY, "traffic-1", SecretKey(bytes(32)).public_key)


def test_the_same_offer_again_is_acknowledged_with_the_same_bytes_also_after_a_restart(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings
) -> None:
    first = upload(receiver, offered)
    for again in (receiver, make_receiver(settings)):
        assert again.take_offer(offered.address, offered.offer.encode()) == first
    assert receiver.counts["repeated"] == 1


def test_after_a_restart_only_what_is_missing_is_asked_for(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings
) -> None:
    receiver.take_offer(offered.address, offered.offer.encode())
    first, second, *rest = offered.chunks(20_000)
    for address, content in (first, second):
        receiver.take_chunk(address, content)
    again = make_receiver(settings)
    assert again.take_chunk(*rest[0])[:0] == []
    told = answer(again.take_offer(offered.address, offered.offer.encode()))
    replies: list[Reply] = []
    assert told.received == {"working": sum(len(one[1]) for one in (first, second, rest[0])), "raw": 0}
    for address, content in rest[1:]:
        replies = again.take_chunk(address, content) or replies
    assert is_kept(replies, offered)


def test_chunks_that_are_doubled_lost_reordered_or_nobodys_are_counted_and_change_nothing(
    receiver: Receiver, offered: OfferedEvidence
) -> None:
    chunks = offered.chunks(20_000)
    assert receiver.take_chunk(*chunks[0]) == []  # not offered yet
    receiver.take_offer(offered.address, offered.offer.encode())
    receiver.take_chunk(*chunks[0])
    address, content = chunks[1]
    for strange, payload in [
        chunks[0],
        chunks[2],
        (address._replace(object="other"), content),
        (address._replace(evidence="0" * 32), content),
        (address._replace(gateway="gw-2"), content),
        (address, b""),
        (address, bytes(65_537)),
    ]:
        assert receiver.take_chunk(strange, payload) == []
    last, tail = next(one for one in reversed(chunks) if one[0].object == "working")
    assert receiver.take_chunk(last._replace(offset=20_000), tail + bytes(65_000)) == [], "beyond the object's end"
    assert receiver.counts["strange"] == 9
    replies: list[Reply] = []
    for one in chunks[1:]:
        replies = receiver.take_chunk(*one) or replies
    assert is_kept(replies, offered)


def test_an_altered_chunk_costs_its_object_and_is_asked_for_again(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings
) -> None:
    receiver.take_offer(offered.address, offered.offer.encode())
    replies: list[Reply] = []
    for number, (address, content) in enumerate(offered.chunks()):
        replies = receiver.take_chunk(address, flipped(content, 9) if number == 1 else content) or replies
    sizes = {one.name: one.sealed_bytes for one in offered.manifest.objects}
    altered = offered.chunks()[1][0].object
    assert answer(replies).received == {**sizes, altered: 0}
    assert receiver.counts["altered"] == 1
    assert not list((settings.data_dir / "evidence").rglob("*.sealed"))
    for address, content in offered.chunks():
        if address.object == altered:
            replies = receiver.take_chunk(address, content) or replies
    assert is_kept(replies, offered)


def _faster(statement: bytes) -> bytes:
    """21,944 mm/s became 21,945."""
    return statement.replace(bytes.fromhex("1955b8"), bytes.fromhex("1955b9"))


SPOILT: dict[str, tuple[Any, Refusal]] = {
    "empty": (lambda _: b"", Refusal.MALFORMED),
    "cut off": (lambda offer: offer.encode()[:-1], Refusal.MALFORMED),
    "too long": (lambda _: bytes(9000), Refusal.MALFORMED),
    "another speed": (lambda one: Offer(_faster(one.statement), one.manifest).encode(), Refusal.BAD_SIGNATURE),
    "another signature": (lambda one: Offer(one.statement[:-1] + b"0", one.manifest).encode(), Refusal.BAD_SIGNATURE),
    "another manifest": (
        lambda one: Offer(one.statement, flipped(one.manifest, 50)).encode(),
        Refusal.OTHER_EVIDENCE,
    ),
    "no manifest": (lambda offer: Offer(offer.statement, b"").encode(), Refusal.MALFORMED),
}


@pytest.mark.parametrize(("spoil", "refusal"), SPOILT.values(), ids=SPOILT)
def test_an_offer_that_its_gateway_did_not_sign_is_refused_and_leaves_nothing(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings, spoil: Any, refusal: Refusal
) -> None:
    assert answer(receiver.take_offer(offered.address, spoil(offered.offer))).refusal == refusal
    assert receiver.counts[refusal.value] == 1
    assert list((settings.data_dir / "incoming").iterdir()) == []


def test_an_offer_under_another_gateways_name_or_another_id_is_refused(
    receiver: Receiver, offered: OfferedEvidence
) -> None:
    for address, refusal in (
        (offered.address._replace(gateway="gw-2"), Refusal.MALFORMED),
        (offered.address._replace(evidence="0" * 32), Refusal.OTHER_EVIDENCE),
    ):
        assert answer(receiver.take_offer(address, offered.offer.encode())).refusal == refusal


def test_a_gateway_whose_key_is_not_in_the_configuration_is_refused(offered: OfferedEvidence, tmp_path: Path) -> None:
    path = tmp_path / "authority.toml"
    path.write_text(AUTHORITY_TOML.replace('public_key = "', 'public_key = "' + "A" * 43 + '=" #'))
    stranger = make_receiver(load_authority_settings(path))
    assert answer(stranger.take_offer(offered.address, offered.offer.encode())).refusal is Refusal.UNKNOWN_KEY


def test_other_evidence_under_an_id_that_is_kept_is_a_contradiction(
    receiver: Receiver, offered: OfferedEvidence, settings: AuthoritySettings
) -> None:
    upload(receiver, offered)
    folder = settings.data_dir / "evidence" / "gw-1" / offered.manifest.id.hex()
    (folder / "statement.cose").write_bytes(b"another")
    told = answer(receiver.take_offer(offered.address, offered.offer.encode()))
    assert told.refusal is Refusal.CONTRADICTION


def test_what_this_authority_could_never_open_is_not_acknowledged(
    receiver: Receiver, tmp_path: Path, settings: AuthoritySettings
) -> None:
    """A gateway with a wrong key in its configuration would delete the only copy that anybody can open."""
    swapped = make_offered(tmp_path / "swapped", keys={"traffic": KEYS["oversight"], "oversight": KEYS["traffic"]})
    assert answer(upload(receiver, swapped)).refusal is Refusal.NOT_OPENABLE
    assert list((settings.data_dir / "incoming").iterdir()) == []


def test_no_more_sets_are_begun_than_there_is_room_for(
    settings: AuthoritySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [make_offered(tmp_path / "gateway") for _ in range(3)]
    size = sets[0].manifest.sealed_bytes
    small = make_receiver(settings, bytes_max=2 * size + size // 2)
    assert is_kept(upload(small, sets[0]), sets[0])
    assert answer(small.take_offer(sets[1].address, sets[1].offer.encode())).refusal is None
    assert answer(small.take_offer(sets[2].address, sets[2].offer.encode())).refusal is Refusal.FULL
    monkeypatch.setattr(shelf_module, "DISK_RESERVE_BYTES", 1 << 62)
    roomy = make_receiver(settings)
    assert answer(roomy.take_offer(sets[2].address, sets[2].offer.encode())).refusal is Refusal.FULL


def test_a_gateway_has_at_most_two_sets_half_received_and_all_together_a_bounded_number(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: AuthoritySettings
) -> None:
    sets = [make_offered(tmp_path / "gateway", raw=raw_set(1, 1000)) for _ in range(4)]
    for one in sets:
        assert answer(receiver.take_offer(one.address, one.offer.encode())).refusal is None
    assert len(list((settings.data_dir / "incoming").iterdir())) == 2
    assert is_kept(upload(receiver, sets[0]), sets[0])
    monkeypatch.setattr(shelf_module, "INCOMING_MAX", 1)
    assert answer(receiver.take_offer(sets[1].address, sets[1].offer.encode())).refusal is Refusal.BUSY
    monkeypatch.setattr(shelf_module, "STALE_S", 0.0)
    assert answer(receiver.take_offer(sets[1].address, sets[1].offer.encode())).refusal is None


@pytest.mark.parametrize("failing", ["os.pwrite", "os.fsync", "shelf.sync_directory"])
def test_a_disk_that_fails_acknowledges_nothing_and_the_rest_is_asked_for_afterwards(
    receiver: Receiver, offered: OfferedEvidence, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    receiver.take_offer(offered.address, offered.offer.encode())
    target = {"os.pwrite": "os.pwrite", "os.fsync": "os.fsync"}.get(failing, "edge.evidence.shelf.sync_directory")
    refused = 0
    with monkeypatch.context() as broken:
        broken.setattr(target, fail)
        for address, content in offered.chunks():
            for reply in receiver.take_chunk(address, content):
                assert reply.row is EVIDENCE_ANSWER
                refused += parse_answer(reply.payload).refusal is Refusal.DISK
    assert refused
    replies = receiver.take_offer(offered.address, offered.offer.encode())
    for address, content in offered.chunks():
        replies = receiver.take_chunk(address, content) or replies
    assert is_kept(replies, offered)


@pytest.mark.parametrize("torn", [{}, {"statement.cose": b"x"}, {"manifest.cbor": b"x"}])
def test_what_a_crash_left_torn_is_gone_after_the_start(
    settings: AuthoritySettings, offered: OfferedEvidence, torn: dict[str, bytes]
) -> None:
    folder = settings.data_dir / "incoming" / f"gw-1-{offered.manifest.id.hex()}"
    folder.mkdir(parents=True)
    for name, content in torn.items():
        (folder / name).write_bytes(content)
    receiver = make_receiver(settings)
    assert list((settings.data_dir / "incoming").iterdir()) == []
    assert is_kept(upload(receiver, offered), offered)


def test_the_acknowledgement_is_what_its_role_prescribes(receiver: Receiver, offered: OfferedEvidence) -> None:
    (reply,) = upload(receiver, offered)
    envelope = parse(reply.payload)
    assert envelope.unprotected == {}
    assert len(reply.payload) < 256
