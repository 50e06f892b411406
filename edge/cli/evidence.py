"""`wayside evidence open`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, FAILS, CannotTryError, add_noun, add_verb, print_json, print_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nacl.public import PrivateKey

    from edge.authority import AuthorityOffice
    from edge.evidence.opening import Opened
    from ledger_sync.proof.trust import Trust


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    evidence = add_noun(
        verbs,
        "evidence",
        summary="what a camera sealed beside its event: open it, with the authority's key",
        example="  wayside evidence open FOLDER --config authority.toml -o opened",
    )
    opening = add_verb(
        evidence,
        "open",
        _open,
        summary="verify and decrypt evidence, and write a page with picture, plate, measurement and verdict",
        example="  wayside evidence open var-authority/evidence/gw-1/ID --config authority.toml -o opened\n"
        "  wayside evidence open ... --trust trust.toml --proof event.cose    # and the city's ledger\n"
        "  wayside evidence open ... --second oversight.toml                  # and the raw pictures: two keys",
        config="the authority's configuration (authority.toml)",
    )
    opening.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of one piece of evidence")
    opening.add_argument(
        "--second",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another authority's configuration, whose key is needed for the raw set; may come again",
    )
    opening.add_argument("--trust", type=Path, metavar="FILE", help="verify against the ledger, too (trust.toml)")
    opening.add_argument(
        "--proof", type=Path, metavar="FILE", help="the transparent statement for it; FOLDER/event.cose if not named"
    )
    opening.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where to write")


def _open(options: argparse.Namespace) -> int:
    from devices.camera.evidence.errors import EvidenceKeyError
    from edge.authority import load_authority_office
    from edge.evidence.opening import EvidenceRefusedError, open_evidence
    from ledger_sync.proof.trust import load_trust

    offices = [load_authority_office(path) for path in (options.config, *options.second)]
    trust = load_trust(options.trust) if options.trust else None
    gateways = _gateways(options.config, offices[0], trust)
    try:
        opened = open_evidence(options.folder, _keys(offices), gateways, trust, options.proof, _acknowledgers(offices))
    except EvidenceKeyError as error:
        raise CannotTryError(f"{options.folder}: {error}; name its configuration with --config or --second") from error
    except EvidenceRefusedError as error:
        if options.json:
            print_json({"verified": False, "sentence": str(error)})
        else:
            print_line(f"refused: {error}")
        return FAILS
    files = _write(options.output, opened)
    if options.json:
        print_json(_as_json(opened, files))
    else:
        _tell(opened, files)
    return DONE


def _gateways(path: Path, office: AuthorityOffice, trust: Trust | None) -> tuple[Any, ...]:
    gateways = (*office.gateway, *(trust.gateway if trust else ()))
    if not gateways:
        raise CannotTryError(f"{path}: names no [[gateway]]; without its key no signature can be checked")
    return gateways


def _keys(offices: Sequence[AuthorityOffice]) -> dict[str, list[PrivateKey]]:
    from edge.authority import load_authority_key

    keys: dict[str, list[PrivateKey]] = {}
    for office in offices:
        keys.setdefault(office.role, []).append(load_authority_key(office.key_path))
    return keys


def _acknowledgers(offices: Sequence[AuthorityOffice]) -> dict[str, bytes]:
    """The signing keys that are on this machine: who acknowledges need not be who opens."""
    from ledger_sync.proof.keyfile import load_key

    paths = {office.id: office.signing_key_path for office in offices}
    return {id_: load_key(path).public_key for id_, path in paths.items() if path.exists()}


def _write(directory: Path, opened: Opened) -> list[Path]:
    """Write what was opened, readable by its owner only; the page last, so that where it is all is."""
    from devices.camera.evidence.folder import FOLDER_MODE, add_durably
    from edge.evidence.page import evidence_page
    from ledger_sync.proof.report import printable

    working = opened.working
    files = {"picture.jpg": working.picture}
    if working.plate is not None:
        files["plate.png"] = working.plate.crop
    directory.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        # An earlier opening's plate beside another one's picture would be believed.
        raise CannotTryError(f"{printable(str(directory))}: is not empty; name a new folder")
    written = []
    if opened.raw is not None:
        raw = directory / "raw"
        raw.mkdir(mode=FOLDER_MODE, exist_ok=True)
        for name, content in opened.raw.items():
            add_durably(raw, name, content)
            written.append(raw / name)
    for name, content in {**files, "evidence.html": evidence_page(opened).encode()}.items():
        add_durably(directory, name, content)
        written.append(directory / name)
    return written


def _as_json(opened: Opened, files: Sequence[Path]) -> dict[str, Any]:
    from ledger_sync.proof.report import data_to_json, utc_s_text, utc_us_text

    event, plate, proven = opened.event, opened.working.plate, opened.proven
    return {
        "verified": True,
        "evidence": opened.manifest.id.hex(),
        "city": event.city,
        "gateway": event.gateway,
        "device": event.device,
        "journal": event.journal.hex(),
        "sequence": event.sequence,
        "type": event.type,
        "time": utc_us_text(event.stamp.utc_us),
        "data": data_to_json(event.data),
        "plate": None if plate is None else plate.text,
        "logged_by": None if proven is None else utc_s_text(proven.logged_by),
        "kept_at": None if opened.kept_at is None else utc_s_text(opened.kept_at),
        "raw_opened": opened.raw is not None,
        "checks": list(opened.checks),
        "unchecked": list(opened.unchecked),
        "files": [str(path) for path in files],
    }


def _tell(opened: Opened, files: Sequence[Path]) -> None:
    from edge.evidence.page import measurement
    from ledger_sync.proof.report import printable, utc_us_text

    event, plate = opened.event, opened.working.plate
    print_line(f"verified: {event.type} of {event.device}, {utc_us_text(event.stamp.utc_us)}")
    for check in opened.checks:
        print_line(f"  {printable(check)}")
    for what in opened.unchecked:
        print_line(f"  not checked: {printable(what)}")
    if opened.raw is None:
        print_line("  not opened: the raw set, which needs a second key (--second)")
    facts = measurement(dict(event.data)) | {"plate": "not read" if plate is None else plate.text}
    for name, value in facts.items():
        print_line(f"  {name:20}{printable(value)}")
    print_line(f"look at {files[-1]}")
