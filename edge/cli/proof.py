"""`wayside prove` and `wayside verify`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, CannotTryError, add_verb, print_json, print_line

if TYPE_CHECKING:
    import argparse

    from edge.journal.reader import JournalReader


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    prove = add_verb(
        verbs,
        "prove",
        _prove,
        summary="write one event's transparent statement, and beside it that of its device's passport (FILE's name "
        "with .passport.cose): all that is needed to check them offline",
        example="  wayside prove --config gateway.toml 42 -o event.cose",
        config="the gateway's configuration (gateway.toml)",
    )
    prove.add_argument("sequence", type=int, metavar="SEQUENCE", help="the event's sequence")
    prove.add_argument("--journal", metavar="HEX", help="its journal (32 hex digits); the current one if not named")
    prove.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write it")
    verify = add_verb(
        verbs,
        "verify",
        _verify,
        summary="check a transparent statement offline: who, what, when, in that order, anchored",
        example="  wayside verify event.cose --trust trust.toml\n"
        "  wayside verify event.cose --passport event.passport.cose --trust trust.toml",
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="the transparent statement (.cose)")
    verify.add_argument("--passport", type=Path, metavar="FILE", help="that of its device's passport")
    verify.add_argument("--trust", type=Path, required=True, metavar="FILE", help="whose signatures count (trust.toml)")


def _prove(options: argparse.Namespace) -> int:
    from edge.prove import NotProvableError, prove, prove_passport

    if not options.output.name:
        raise CannotTryError(f"{options.output}: cannot be written (it is a folder); name a file in it")
    with _journal(options.config, options.journal) as reader:
        try:
            statement = prove(reader, options.sequence)
            passport = prove_passport(reader, statement)
        except NotProvableError as error:
            raise CannotTryError(str(error)) from error
        journal = reader.id.hex()
    check, of_passport = f"wayside verify {options.output}", None
    if passport:
        beside = options.output.with_suffix(".passport.cose")
        of_passport = _write(beside, passport.sequence, passport.statement)
        check += f" --passport {beside}"
    of_event = _write(options.output, options.sequence, statement)
    if options.json:
        print_json({"journal": journal, **of_event, "passport": of_passport})
    else:
        print_line(f"{options.output}: {len(statement)} bytes; check it with `{check} --trust ...`")
    return DONE


def _write(path: Path, sequence: int, content: bytes) -> dict[str, Any]:
    """Write an event's file whole or not at all, and give what is told of it. Raises CannotTryError."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise CannotTryError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours"
        ) from error
    return {"sequence": sequence, "file": str(path), "bytes": len(content)}


def _journal(config: Path, journal: str | None) -> JournalReader:
    from edge.config import load_gateway_place
    from edge.journal.errors import JournalCorruptError
    from edge.journal.files import current_journal, journals
    from edge.journal.reader import JournalReader

    data_dir = load_gateway_place(config).data_dir
    if journal is None:
        return JournalReader(current_journal(data_dir))
    known = []
    for path in journals(data_dir):
        try:
            reader = JournalReader(path)
        except JournalCorruptError as error:
            sys.stderr.write(f"wayside: passed over: {error}\n")
            continue
        known.append(reader.id.hex())
        if reader.id.hex() == journal:
            return reader
        reader.close()
    raise CannotTryError(f"{data_dir}: has no journal {journal!r}; there are: {', '.join(known) or 'none'}")


def _verify(options: argparse.Namespace) -> int:
    from ledger_sync.proof.__main__ import verify_to_stdout

    return verify_to_stdout(options.file, options.passport, options.trust, json_wanted=options.json)
