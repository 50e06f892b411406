"""Opening evidence: what is shown is what was signed, or nothing is shown."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from devices.camera.evidence.folder import KEPT, add_durably
from devices.camera.evidence.sets import RawSet
from devices.camera.plates.plate_hash import plate_hash
from edge.cli import main
from edge.journal.reader import JournalReader
from edge.journal.writer import KeepAnswer
from edge.prove import prove
from ledger_sync.proof.kept import make_kept
from ledger_sync.proof.keyfile import Algorithm, load_key, make_key
from ledger_sync.proof.report import utc_s_text
from tests.edge.journals import CITY, GATEWAY_KEY, LEDGER_KEY, SEAL, Ledger, anchors, flipped, open_journal
from tests.support.offered_evidence import AUTHORITY_TOML, OfferedEvidence, make_offered
from tests.support.violation import CALIBRATION, PLATE, SALT, SPEEDING, raw_set, working_set

if TYPE_CHECKING:
    from pathlib import Path

TRUST = f"""
city = "demo"
[[gateway]]
id = "gw-1"
public_key = "{b64encode(GATEWAY_KEY.public_key).decode()}"
[[ledger]]
id = "ledger-1"
public_key = "{b64encode(LEDGER_KEY.public_key).decode()}"
"""


@pytest.fixture
def offered(tmp_path: Path) -> OfferedEvidence:
    return make_offered(tmp_path / "gateway")


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """The folder of an office with both authorities' configurations, and the keys that evidence is sealed to."""
    folder = tmp_path / "office"
    for name, role, secret in (("authority", "traffic", b"\x01"), ("oversight", "oversight", b"\x02")):
        key = folder / name / "identity" / "authority.key"
        make_key(key, Algorithm.X25519)
        key.write_text(_pem(secret * 32))
        text = AUTHORITY_TOML.replace('"traffic"', f'"{role}"').replace('"var"', f'"{name}"')
        (folder / f"{name}.toml").write_text(re.sub(r"(?s)\[broker\].*?(?=\[\[)", "", text))
    return folder


def _pem(secret: bytes) -> str:
    body = b64encode(Algorithm.X25519.prefix + secret).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


class Opening:
    """What the command did."""

    def __init__(self, code: int, out: str, err: str, directory: Path) -> None:
        self.code, self.out, self.err, self.directory = code, out, err, directory

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told

    @property
    def files(self) -> set[str]:
        return {str(one.relative_to(self.directory)) for one in self.directory.rglob("*") if one.is_file()}


def run(office: Path, folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Opening:
    directory = next(one for number in count(1) if not (one := office / f"opened-{number}").exists())
    capsys.readouterr()
    config = str(office / "authority.toml")
    code = main(["evidence", "open", str(folder), "--config", config, "-o", str(directory), *more])
    out, err = capsys.readouterr()
    return Opening(code, out, err, directory)


def test_nothing_is_written_beside_what_was_opened_before(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = run(office, offered.folder, capsys).directory
    again = ["evidence", "open", str(offered.folder), "--config", str(office / "authority.toml"), "-o", str(directory)]
    assert main(again) == 2
    assert "is not empty; name a new folder" in capsys.readouterr().err


def test_the_offices_key_shows_picture_plate_and_verdict_on_one_page_that_loads_nothing(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    opening = run(office, offered.folder, capsys)
    assert opening.code == 0
    assert opening.files == {"evidence.html", "picture.jpg", "plate.png"}
    page = (opening.directory / "evidence.html").read_text()
    assert b64encode((opening.directory / "picture.jpg").read_bytes()).decode() in page
    assert PLATE in page
    assert "Verified" in page
    assert "21944 (79.0 km/h)" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not re.search(r"<script|https?://|src=\"(?!data:)", page)
    for line in ("verified: vehicle.speeding of camera-1", "not opened: the raw set", "plate", PLATE):
        assert line in opening.out


def test_with_the_second_key_the_raw_set_is_unpacked_too(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    opening = run(office, offered.folder, capsys, "--second", str(office / "oversight.toml"), "--json")
    assert opening.code == 0
    assert opening.told["raw_opened"] is True
    assert {"raw/frame-01.jpg", "raw/frame-03.jpg", "raw/track.json", "raw/calibration.toml"} <= opening.files
    assert (opening.directory / "raw" / "calibration.toml").read_bytes() == CALIBRATION


def test_oversight_alone_opens_nothing(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    (office / "authority.toml").write_text((office / "oversight.toml").read_text())
    opening = run(office, offered.folder, capsys)
    assert (opening.code, opening.out) == (2, "")
    assert "needs the key" in opening.err
    assert "'traffic'; name its configuration" in opening.err
    assert not opening.directory.exists()


KEPT_AT = 1_790_000_100


def acknowledge(office: Path, offered: OfferedEvidence, *, statement: bytes | None = None, city: str = CITY) -> bytes:
    """What the authority's signing key, which is on the office's machine, says of it (or of another statement)."""
    key_path = office / "authority" / "identity" / "signing.key"
    make_key(key_path)
    of = offered.offer.statement if statement is None else statement
    return make_kept(city, "traffic-1", KEPT_AT, of, offered.offer.manifest, load_key(key_path))


def test_who_acknowledged_it_and_when_is_checked_with_the_signing_key(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    without = run(office, offered.folder, capsys, "--json").told
    assert without["kept_at"] is None
    assert without["unchecked"][-1] == "whether an authority acknowledged it (kept.cose is not there)"
    add_durably(offered.folder, KEPT, acknowledge(office, offered))
    told = run(office, offered.folder, capsys, "--json").told
    assert told["kept_at"] == utc_s_text(KEPT_AT)
    signing_key = office / "authority" / "identity" / "signing.key"
    assert f"demo/traffic-1, key {load_key(signing_key).kid.hex()}" in "".join(told["checks"])
    signing_key.unlink()
    opening = run(office, offered.folder, capsys)
    assert opening.code == 0
    assert "not checked: whether kept.cose is by demo/traffic-1, key" in opening.out


CONTRADICTIONS = {
    "of another event": ({"statement": b"other"}, None, "acknowledges other evidence"),
    "of another city": ({"city": "elsewhere"}, None, "acknowledges other evidence"),
    "altered": ({}, -1, "is not signed by demo/traffic-1"),
    "torn": ({}, 5, ""),
}


@pytest.mark.parametrize(("changed", "place", "why"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_an_acknowledgement_that_contradicts_the_evidence_refuses_it(
    changed: dict[str, Any],
    place: int | None,
    why: str,
    office: Path,
    offered: OfferedEvidence,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = acknowledge(office, offered, **changed)
    kept = kept if place is None else kept[:place] if place > 0 else flipped(kept, len(kept) - 1)
    add_durably(offered.folder, KEPT, kept)
    opening = run(office, offered.folder, capsys)
    assert opening.code == 1
    assert why in opening.out
    assert not opening.directory.exists()


def test_the_ledgers_word_is_checked_where_a_trust_file_is_named(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with open_journal(tmp_path / "gateway") as journal:
        journal.commit([SEAL])
        ((batch, anchor),) = anchors(journal.path).items()
        journal.commit([KeepAnswer(batch, *Ledger().register(anchor))])
        with JournalReader(journal.path) as reader:
            proof = prove(reader, 1)
    (office / "trust.toml").write_text(TRUST)
    trusting = ("--trust", str(office / "trust.toml"), "--json")
    missing = run(office, offered.folder, capsys, *trusting)
    assert (missing.code, missing.err.strip().endswith("event.cose: No such file or directory")) == (2, True)
    (office / "of-the-court.cose").write_bytes(proof)
    named = run(office, offered.folder, capsys, *trusting, "--proof", str(office / "of-the-court.cose"))
    assert (named.code, named.told["logged_by"][-1]) == (0, "Z")
    assert "in the city's ledger by" in (named.directory / "evidence.html").read_text()
    add_durably(offered.folder, "event.cose", proof)
    assert run(office, offered.folder, capsys, *trusting).code == 0
    other = make_offered(tmp_path / "gateway")
    swapped = run(office, other.folder, capsys, *trusting, "--proof", str(office / "of-the-court.cose"))
    assert swapped.code == 1
    assert "is that of event 1" in swapped.told["sentence"]


def test_whatever_is_altered_is_refused_and_nothing_is_shown(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("statement.cose", "manifest.cbor", "working.sealed", "raw.sealed"):
        whole = (offered.folder / name).read_bytes()
        for altered in (flipped(whole, len(whole) // 2), whole[:-1], whole + b"\0", b""):
            (offered.folder / name).write_bytes(altered)
            opening = run(office, offered.folder, capsys, "--json")
            assert (opening.code, opening.told["verified"]) == (1, False), (name, len(altered))
            assert not opening.directory.exists()
        (offered.folder / name).write_bytes(whole)
    assert run(office, offered.folder, capsys).code == 0


def test_the_files_of_two_pieces_are_not_mixed(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = make_offered(tmp_path / "gateway")
    (offered.folder / "manifest.cbor").write_bytes((other.folder / "manifest.cbor").read_bytes())
    for name in ("working.sealed", "raw.sealed"):
        (offered.folder / name).write_bytes((other.folder / name).read_bytes())
    opening = run(office, offered.folder, capsys, "--json")
    assert opening.code == 1
    assert "does not sign this manifest" in opening.told["sentence"]


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another speed": ({"speed_mm_s": 30_000}, "what the working set says of the measurement is not what the event"),
    "another plate": ({"plate_sha256": plate_hash("X1", bytes(32))}, "what the working set says of the measurement"),
}


@pytest.mark.parametrize(("difference", "sentence"), OTHERS.values(), ids=OTHERS)
def test_an_event_that_says_another_thing_than_its_evidence_is_refused(
    office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], difference: dict[str, Any], sentence: str
) -> None:
    offered = make_offered(tmp_path / "gateway", data=SPEEDING | difference)
    opening = run(office, offered.folder, capsys, "--json")
    assert (opening.code, opening.told["sentence"].startswith(sentence)) == (1, True)


@pytest.mark.parametrize("plate", ["OTHER1", None])
def test_a_plate_that_is_not_the_one_of_the_hash_is_refused(
    office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], plate: str | None
) -> None:
    offered = make_offered(tmp_path / "gateway", working=working_set(plate))
    opening = run(office, offered.folder, capsys, "--json")
    assert opening.code == 1
    assert "the plate in the working set is not the one" in opening.told["sentence"]


def test_a_calibration_that_is_not_the_one_of_the_event_is_refused(
    office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = raw_set()
    other = RawSet(raw.frames, raw.points, b"# another\n", raw.facts)
    offered = make_offered(tmp_path / "gateway", raw=other)
    assert run(office, offered.folder, capsys).code == 0, "without oversight's key nobody can tell"
    opening = run(office, offered.folder, capsys, "--second", str(office / "oversight.toml"), "--json")
    assert opening.code == 1
    assert "calibration" in opening.told["sentence"]


def test_a_stranger_signature_is_refused_and_without_any_key_it_cannot_be_tried(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (office / "authority.toml").read_text()
    (office / "authority.toml").write_text(text.replace('public_key = "', f'public_key = "{"A" * 43}=" #'))
    opening = run(office, offered.folder, capsys)
    assert (opening.code, opening.out.startswith("refused: the key")) == (1, True)
    (office / "authority.toml").write_text(text[: text.index("[[gateway]]")])
    opening = run(office, offered.folder, capsys)
    assert opening.code == 2
    assert "names no [[gateway]]" in opening.err


def test_what_is_not_there_cannot_be_tried(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(office, office / "nowhere", capsys).code == 2
    (offered.folder / "raw.sealed").unlink()
    assert run(office, offered.folder, capsys).code == 2
    (office / "authority" / "identity" / "authority.key").unlink()
    opening = run(office, offered.folder, capsys)
    assert (opening.code, "there is no key" in opening.err) == (2, True)


def test_no_text_of_the_evidence_becomes_markup_or_steers_a_terminal(
    office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "<b>\x1b[2J'\""
    data = SPEEDING | {"lane": "<i>\x1b", "plate_sha256": plate_hash(hostile, SALT)}
    offered = make_offered(tmp_path / "gateway", working=working_set(hostile), measured=data)
    opening = run(office, offered.folder, capsys)
    assert opening.code == 0
    page = (opening.directory / "evidence.html").read_text()
    for shown in (page, opening.out):
        assert "\x1b" not in shown
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;" in page


def test_the_page_is_for_its_owner_only(
    office: Path, offered: OfferedEvidence, capsys: pytest.CaptureFixture[str]
) -> None:
    opening = run(office, offered.folder, capsys)
    assert {one.stat().st_mode & 0o077 for one in (opening.directory, *opening.directory.rglob("*"))} == {0}
