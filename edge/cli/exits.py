"""Exit codes, output, and the options that verbs share."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

DONE, FAILS, NOT_TRIED = 0, 1, 2


class CannotTryError(Exception):
    """What was asked for could not be tried; the message names the place and the mend. Exit code 2."""


def add_verb(
    verbs: Any, name: str, run: Any, *, summary: str, example: str, config: str | None = None, json_output: bool = True
) -> argparse.ArgumentParser:
    """A verb with its help, an example in it, and its options `--config` and `--json`."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n{example}\n\nexit codes: 0 yes, done; 1 the content fails; 2 it could not be tried",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if config:
        parser.add_argument("--config", type=Path, required=True, metavar="FILE", help=config)
    if json_output:
        parser.add_argument("--json", action="store_true", help="print JSON to stdout")
    parser.set_defaults(run=run)
    return parser


class IntermixedParser(argparse.ArgumentParser):
    """Takes an argument that may come several times also after options; argparse takes it only in front of them."""

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the standard's, which its own intermixed parsing may call again (Python 3.11)."""
        if self._is_inside:
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False


def seconds(text: str) -> float:
    """The value of an option that is a time in seconds, above 0. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:  # noqa: PLR2004 - as long as anyone waits
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; give more than 0")
    return value


def add_noun(verbs: Any, name: str, *, summary: str, example: str, parser_class: type = argparse.ArgumentParser) -> Any:
    """A noun that has verbs of its own; returns where they are added."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=parser_class)


def print_json(value: Any) -> None:
    """One JSON value on a line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_line(line: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(line + "\n")
