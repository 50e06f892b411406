"""The command line: `wayside VERB`. Each room here holds the verbs of one noun.

Exit codes (DESIGN 11): 0 yes, done; 1 the content fails; 2 it could not be tried.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import sys
from importlib.metadata import version

from edge.cli import authority, broker, camera, demo, device, evidence, gateway, journal, ledger, proof, sim
from edge.cli.exits import FAILS, NOT_TRIED, CannotTryError
from edge.error_groups import leaves
from edge.journal.errors import JournalCorruptError, JournalError
from ledger_sync.city.errors import LedgerError
from ledger_sync.proof.keyfile import KeyFileError
from ledger_sync.proof.ownership import OwnedError
from ledger_sync.proof.report import printable
from ledger_sync.proof.settings import SettingsError

_DESCRIPTION = """Wayside: the kerb-side gateway. Reads city devices, signs each event, journals it, anchors
batches to the city ledger, and proves single events offline."""

_EXAMPLES = """examples:
  wayside demo                                     the whole way in a minute, on this machine
  wayside init --config gateway.toml               make the gateway's key (and a sample file)
  wayside check --config gateway.toml              read and judge a configuration, touching nothing
  wayside run --config gateway.toml                run the gateway until SIGTERM
  wayside prove --config gateway.toml 42 -o event.cose
  wayside verify event.cose --trust trust.toml

exit codes: 0 yes, done; 1 the content fails; 2 it could not be tried"""

_NOT_TRIED = (
    SettingsError,
    KeyFileError,
    OwnedError,
    JournalError,
    LedgerError,
    CannotTryError,
    OSError,
    sqlite3.Error,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wayside",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wayside {version('wayside')}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for room in (demo, gateway, device, journal, proof, ledger, authority, evidence, broker, camera, sim):
        room.add_verbs(verbs)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code. Whatever goes wrong is told in sentences on stderr, without a traceback."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell (`>&-`): what is said goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - a stream for the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); the interpreter must not meet the broken pipe again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        return _tell(*leaves(group))
    except Exception as error:  # noqa: BLE001 - `_tell` raises again what it does not know
        return _tell(error)
    return code


def _tell(*errors: BaseException) -> int:
    """Say what went wrong, in sentences. A defect of ours is raised again: its traceback is what mends it."""
    for error in errors:
        if not isinstance(error, _NOT_TRIED):
            raise error
        sys.stderr.writelines(f"wayside: {printable(line)}\n" for line in _sentence(error).splitlines())
    return FAILS if any(isinstance(error, JournalCorruptError) for error in errors) else NOT_TRIED


def _sentence(error: BaseException) -> str:
    """What an error says; of the system's own, the file and the reason without the number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)
