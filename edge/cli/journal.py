"""`wayside journal stats|events|verify|export`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge.cli.exits import DONE, FAILS, CannotTryError, add_noun, add_verb, print_json, print_line
from edge.cli.progress import ProgressLine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from edge.journal.reader import JournalReader

_CONFIG = "the gateway's configuration (gateway.toml)"


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    journal = add_noun(
        verbs,
        "journal",
        summary="look into, verify and export the journal",
        example="  wayside journal stats --config gateway.toml",
    )
    add_verb(
        journal,
        "stats",
        _stats,
        summary="count events by state, type and device; bytes and ages",
        example="  wayside journal stats --config gateway.toml --json",
        config=_CONFIG,
    )
    add_verb(
        journal,
        "events",
        _events,
        summary="list all events, oldest journal first; works while the gateway runs",
        example="  wayside journal events --config gateway.toml --json | tail -n 3",
        config=_CONFIG,
    )
    add_verb(
        journal,
        "verify",
        _verify,
        summary="verify every signature, sequence, root, anchor chain and receipt",
        example="  wayside journal verify --config gateway.toml",
        config=_CONFIG,
    )
    export = add_verb(
        journal,
        "export",
        _export,
        summary="write the transparent statements of all receipted events; goes on where it was interrupted",
        example="  wayside journal export --config gateway.toml statements/",
        config=_CONFIG,
    )
    _add_directory(export)


def _add_directory(parser: argparse.ArgumentParser) -> None:
    from pathlib import Path

    parser.add_argument("directory", type=Path, metavar="DIR", help="where <journal>/<batch>/<sequence>.cose go")


def _journal_files(config: Path) -> list[Path]:
    """The files of a gateway's journals, oldest first. Raises CannotTryError when there is none."""
    from edge.config import load_gateway_place
    from edge.journal.files import journals

    data_dir = load_gateway_place(config).data_dir
    paths = journals(data_dir)
    if not paths:
        raise CannotTryError(f"{data_dir}: there is no journal yet; `wayside run --config {config}` makes it")
    return paths


def _read_each(config: Path, read: Callable[[JournalReader], None]) -> None:
    """Have each journal of a gateway read, oldest first.

    One that was set aside because it is damaged is told and passed over: what came after it is wanted all the more.
    Raises JournalCorruptError for the newest.
    """
    from edge.journal.errors import JournalCorruptError
    from edge.journal.reader import JournalReader

    paths = _journal_files(config)
    for path in paths:
        try:
            with JournalReader(path) as reader:
                read(reader)
        except JournalCorruptError as error:
            if path == paths[-1]:
                raise
            sys.stderr.write(f"wayside: damaged, read no further: {error}\n")


def _events(options: argparse.Namespace) -> int:
    from edge.journal.listing import event_row

    def read(reader: JournalReader) -> None:
        for summary in reader.events():
            row = event_row(reader, summary)
            if options.json:
                print_json(row)
            else:
                print_line(_event_line(row))

    _read_each(options.config, read)
    return DONE


def _event_line(row: dict[str, Any]) -> str:
    place = f"{row['sequence']:>8} {row['time']} {row['device']:<16} {row['type']:<18}"
    return f"{place} {row['batch'] or '-':>6} {row['state']}"


def _stats(options: argparse.Namespace) -> int:
    from edge.journal.stats import journal_stats

    rows: list[dict[str, Any]] = []
    _read_each(options.config, lambda reader: rows.append(journal_stats(reader)))
    if options.json:
        print_json({"journals": rows})
        return DONE
    for row in rows:
        print_line(f"journal {row['journal']}  {row['events']} events, {row['bytes']} bytes")
        for column in ("by_state", "by_type", "by_device"):
            counts = ", ".join(f"{name} {count}" for name, count in row[column].items()) or "none"
            print_line(f"  {column.removeprefix('by_'):<8}{counts}")
        waiting = f"{row['batches_waiting']} of {row['batches']} batches without a receipt"
        age = row["oldest_waiting_age_s"]
        print_line(f"  batches {waiting}{'' if age is None else f', the oldest sealed {age} s ago'}")
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from edge.config import load_gateway_config
    from edge.journal.errors import JournalCorruptError
    from edge.journal.reader import JournalReader
    from edge.journal.verify import JournalRefutedError, verify_journal
    from ledger_sync.proof.keyfile import load_key

    config = load_gateway_config(options.config)
    public_key = load_key(config.place.key_path).public_key
    verified: list[dict[str, Any]] = []
    for path in _journal_files(options.config):
        try:
            with JournalReader(path) as reader, ProgressLine("verified to event {}".format) as progress:
                verdict = verify_journal(reader, public_key, config.ledgers, progress)
                verified.append({"journal": reader.id.hex(), **asdict(verdict)})
        except (JournalRefutedError, JournalCorruptError) as error:
            if options.json:
                print_json({"verified": False, "file": str(path), "sentence": str(error)})
            else:
                print_line(f"{path}: does not verify: {error}")
            return FAILS
    if options.json:
        print_json({"verified": True, "journals": verified})
        return DONE
    for row in verified:
        counts = f"{row['events']} events, {row['batches']} batches, {row['receipts']} receipts"
        print_line(f"journal {row['journal']} verifies: {counts}")
    return DONE


def _export(options: argparse.Namespace) -> int:
    from edge.export import export_journal

    written = kept = 0

    def read(reader: JournalReader) -> None:
        nonlocal written, kept
        with ProgressLine("written to event {}".format) as progress:
            new, old = export_journal(reader, options.directory, progress)
        written, kept = written + new, kept + old

    _read_each(options.config, read)
    if options.json:
        print_json({"written": written, "kept": kept, "directory": str(options.directory)})
    else:
        print_line(f"{options.directory}: {written} transparent statements written, {kept} were there")
    return DONE
