import re
from pathlib import Path

import ledger_sync
from ledger_sync.proof.errors import Reason
from ledger_sync.proof.report import as_json
from ledger_sync.proof.verify import verify
from tests.support.city_of_proofs import TRUST, build

TEXT = (Path(ledger_sync.__path__[0]) / "FORMAT.md").read_text(encoding="utf-8")


def test_format_md_lists_every_reason_in_the_order_of_the_checks() -> None:
    checks = TEXT.partition("\n## Verification\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| \d+ \|.*\| `([a-z-]+)` \|$", checks, re.MULTILINE) == [reason.value for reason in Reason]


def test_format_md_lists_every_key_of_the_json_in_order() -> None:
    table = TEXT.partition("Keys, in this order:")[2].partition("Refused:")[0]
    keys = [
        key for first in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", first)
    ]
    assert keys == list(as_json(verify(build().transparent, TRUST)))
