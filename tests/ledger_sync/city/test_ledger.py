"""Durability: what a crash, a full disk or a wrong key leaves of the log."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ledger_sync.city.errors import LogError, StorageError
from ledger_sync.city.ledger import Ledger
from tests.ledger_sync.city.gateways import (
    LEDGER_KEY,
    Gateway,
    check_log,
    ledger_settings,
    named_key,
    open_ledger,
    proven,
)

if TYPE_CHECKING:
    from pathlib import Path


class CrashError(Exception):
    pass


def crash_at(name: str) -> object:
    def step(at: str) -> None:
        if at == name:
            raise CrashError

    return step


def test_a_restart_keeps_the_log_and_its_chains(tmp_path: Path) -> None:
    gateway = Gateway()
    with open_ledger(tmp_path, gateway.registered) as ledger:
        first = gateway.seal()
        ledger.register([first])
    with open_ledger(tmp_path, gateway.registered) as ledger:
        second = gateway.seal()
        answers = ledger.register([second, first]).answers
    assert [proven(answers[0], second).proof.index, proven(answers[1], first).proof.index] == [1, 0]
    assert check_log(tmp_path / "log.sqlite") == 2


@pytest.mark.parametrize(("step", "size"), [("ledger.before-commit", 0), ("ledger.after-commit", 1)])
def test_a_group_that_was_cut_short_comes_again_to_the_same_places(tmp_path: Path, step: str, size: int) -> None:
    gateway = Gateway()
    first = gateway.seal()
    cut_short = Ledger(ledger_settings(tmp_path, gateway.registered), LEDGER_KEY, crash_at(step))  # type: ignore[arg-type]
    with pytest.raises(CrashError):
        cut_short.register([first])
    cut_short.close()
    assert check_log(tmp_path / "log.sqlite") == size
    with open_ledger(tmp_path, gateway.registered) as ledger:
        (answer,) = ledger.register([first]).answers
    assert proven(answer, first).proof.index == 0
    assert check_log(tmp_path / "log.sqlite") == 1


def test_the_files_as_of_any_step_are_a_whole_log(tmp_path: Path) -> None:
    """The files are copied while the transaction is under way, as a power cut would leave them."""
    gateway = Gateway()
    live, copies = tmp_path / "live", tmp_path / "copies"
    live.mkdir()

    def copy(step: str) -> None:
        shutil.copytree(live, copies / f"{step}-{len(list(copies.glob('*')))}")

    copies.mkdir()
    ledger = Ledger(ledger_settings(live, gateway.registered), LEDGER_KEY, copy)
    for _ in range(3):
        ledger.register([gateway.seal() for _ in range(5)])
    ledger.close()
    sizes = [check_log(copy / "log.sqlite") for copy in sorted(copies.iterdir(), key=lambda copy: copy.name[-1])]
    assert sizes == [0, 5, 5, 10, 10, 15]


def test_a_full_disk_leaves_the_log_whole_and_the_group_is_registered_later(tmp_path: Path) -> None:
    gateway = Gateway()
    path = tmp_path / "log.sqlite"
    with open_ledger(tmp_path, gateway.registered) as ledger:
        ledger.register([gateway.seal()])
        pages = ledger._log.connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._log.connection.execute(f"PRAGMA max_page_count = {pages}")
        group = [gateway.seal() for _ in range(100)]
        with pytest.raises(StorageError, match="full"):
            ledger.register(group)
    assert check_log(path) == 1
    with open_ledger(tmp_path, gateway.registered) as ledger:
        answers = ledger.register(group).answers
    assert [proven(*pair).proof.index for pair in zip(answers, group, strict=True)] == list(range(1, 101))
    assert check_log(path) == 101


def test_a_log_goes_on_only_under_the_key_that_signed_it(tmp_path: Path) -> None:
    gateway = Gateway()
    with open_ledger(tmp_path, gateway.registered) as ledger:
        ledger.register([gateway.seal()])
    with pytest.raises(LogError, match="another key or name"):
        Ledger(ledger_settings(tmp_path, gateway.registered), named_key("ledger-2"))


def test_a_group_of_refusals_signs_no_head_and_grows_no_log(tmp_path: Path) -> None:
    with open_ledger(tmp_path, Gateway().registered) as ledger:
        result = ledger.register([Gateway("stranger").seal()])
    assert (result.head, result.refused) == (None, 1)
    assert check_log(tmp_path / "log.sqlite") == 0
