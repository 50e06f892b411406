"""`python -m ledger_sync.proof FILE --trust trust.toml`: verify offline, with nothing of a gateway installed.

Exit codes (DESIGN 11): 0 verified, 1 the content fails, 2 it could not be tried.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from .errors import RefusedError, UnreadableError
from .report import as_json, as_text, printable, refusal_as_json
from .settings import SettingsError
from .trust import Trust, load_trust
from .verify import Proven, check_passport, verify_file

_EXAMPLES = """examples:
  python -m ledger_sync.proof event.cose --trust trust.toml
  python -m ledger_sync.proof event.cose --trust trust.toml --json
  python -m ledger_sync.proof event.cose --passport event.passport.cose --trust trust.toml

exit codes: 0 verified; 1 the content fails; 2 it could not be tried (file, trust file or usage)"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code; what is proven or refused goes to stdout, what could not be tried to stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m ledger_sync.proof",
        description="Verify a transparent statement offline.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="the transparent statement (.cose)")
    parser.add_argument("--trust", type=Path, required=True, help="the trust file: whose signatures count (TOML)")
    parser.add_argument("--passport", type=Path, metavar="FILE", help="that of its device's passport")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    return verify_to_stdout(options.file, options.passport, options.trust, json_wanted=options.json)


def verify_to_stdout(file: Path, passport_file: Path | None, trust_file: Path, *, json_wanted: bool) -> int:
    """Verify one file, and that of its passport if there is one, and tell the verdict; returns the exit code.

    `wayside verify` is this, too.
    """
    try:
        trust = load_trust(trust_file)
        proven = verify_file(file, trust)
        passport = None if passport_file is None else _verify_passport(proven, passport_file, trust)
    except (SettingsError, UnreadableError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except RefusedError as error:
        told = json.dumps(refusal_as_json(error)) if json_wanted else f"refused ({error.reason}): {error}"
        sys.stdout.write(f"{printable(told)}\n")
        return 1
    told = json.dumps(as_json(proven, passport)) if json_wanted else as_text(proven, passport)
    sys.stdout.write(f"{told}\n")
    return 0


def _verify_passport(proven: Proven, file: Path, trust: Trust) -> Proven:
    try:
        passport = verify_file(file, trust)
    except RefusedError as error:
        raise RefusedError(error.reason, f"its passport, {file}: {error}") from error
    check_passport(proven, passport)
    return passport


if __name__ == "__main__":
    sys.exit(main())
