"""Each parser is fuzzed for a few seconds, from another seed each time; what it once failed on is tried for ever."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fuzz import keeping
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Campaign
from tests.fuzz.judging import Found, check_growth, judge
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Subject, Target

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 5.0
FRAME = b"<good>"


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_keeps_its_promises_on_mutated_input(name: str) -> None:
    campaign = Campaign(TARGETS[name], seed=random.SystemRandom().randrange(1 << 32))
    campaign.run(SECONDS)
    again = f"python -m tests.fuzz {name} --seed {campaign.seed}"
    assert [f"{find.sentence}: {find.data!r}" for find in campaign.finds.values()] == [], again
    assert campaign.executions > len(TARGETS[name].seeds())


@pytest.mark.parametrize("find", keeping.kept(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_once_found_is_mended(find: Path) -> None:
    keeping.replay(find.parent.name, find.read_bytes())


class Frames(Subject):
    """Reads `<text>`; well, unless a test breaks it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = b""

    def feed(self, data: bytes) -> list[Any]:
        self.kept += data
        found: list[Any] = []
        while b">" in self.kept:
            frame, _, self.kept = self.kept.partition(b">")
            _, begun, text = frame.rpartition(b"<")
            if begun and len(text) < 60:
                found += self.read(text)
        self.kept = self.kept[-64:]
        return found

    def read(self, text: bytes) -> list[Any]:
        return [text]

    def held(self) -> int:
        return len(self.kept)


class Raising(Frames):
    def read(self, text: bytes) -> list[Any]:
        return [text.decode("ascii")]


class Rounding(Frames):
    def read(self, text: bytes) -> list[Any]:
        return [float(len(text)) if b"!" in text else text]


class Hoarding(Frames):
    def feed(self, data: bytes) -> list[Any]:
        found = super().feed(data)
        self.kept = self.kept.rjust(65)
        return found


class Deaf(Frames):
    def feed(self, data: bytes) -> list[Any]:
        return [] if b"\xff" in self.kept else super().feed(data)


class CutDependent(Frames):
    def feed(self, data: bytes) -> list[Any]:
        return [*super().feed(data), *([data] if data.startswith(b"#") else [])]


class Timed(Frames):
    """Costs 1 µs for each byte it looks at, by a clock of its own: a busy machine's clock would fail the test."""

    spent_s = 0.0

    def feed(self, data: bytes) -> list[Any]:
        Timed.spent_s += 1e-6 * self.looked_at(data)
        return super().feed(data)

    def looked_at(self, data: bytes) -> int:
        return len(data)


class Slow(Timed):
    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    def looked_at(self, data: bytes) -> int:
        self.heard += len(data)
        return self.heard


def target(subject: type[Subject]) -> Target:
    return Target("frames", subject, lambda: [FRAME * 3], lambda: FRAME, held_bytes_max=64)


def test_a_parser_that_is_right_is_left_in_peace() -> None:
    campaign = Campaign(target(Frames), seed=1)
    campaign.run(0.3)
    assert campaign.finds == {}
    assert campaign.executions > 10


@pytest.mark.parametrize(
    ("broken", "data", "why"),
    [
        (Raising, b"<\xff>", "UnicodeDecodeError"),
        (Rounding, b"<!>", "of the type float"),
        (Hoarding, b"<", "holds 65 bytes, at most 64"),
        (Deaf, b"\xff", "good frames after it, 0 were read"),
        (CutDependent, b"a#b#c#d#e#f#" * 20, "values in pieces"),
    ],
)
def test_a_promise_that_is_broken_is_found(broken: type[Subject], data: bytes, why: str) -> None:
    with pytest.raises(Found, match=why):
        judge(target(broken), data)


def test_a_parser_that_reads_everything_again_with_each_byte_is_found() -> None:
    check_growth(target(Timed), b"<a>", lambda: Timed.spent_s)
    with pytest.raises(Found, match="twice as many"):
        check_growth(target(Slow), b"<a>", lambda: Timed.spent_s)


def test_a_reading_that_the_recorder_refuses_is_found() -> None:
    mqtt = TARGETS["mqtt-meter"]
    payload = b'long/1\n{"energy":1.5}'
    judge(mqtt, payload)
    with pytest.raises(Found, match="the recorder refuses"):
        judge(replace(mqtt, new=Unrecordable), payload)


class Unrecordable(Subject):
    def feed(self, data: bytes) -> list[Any]:
        return [one._replace(data={**one.data, "meter_id": 7}) for one in TARGETS["mqtt-meter"].new().feed(data)]


def test_the_fuzzer_finds_by_itself_and_the_same_seed_finds_the_same() -> None:
    found = []
    for _ in range(2):
        campaign = Campaign(target(Raising), seed=5)
        while not campaign.finds:
            campaign.run(0.2)
        found.append(next(iter(campaign.finds.values())).data)
    assert found[0] == found[1]
    assert len(found[0]) <= len(FRAME)


def test_a_find_is_tried_again_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "input.bin"
    file.write_bytes(b"\x00\xff\xff\x01\xd5")
    assert main(["pn532", "--input", str(file)]) == 0
    assert capsys.readouterr().out == "pn532: nothing wrong\n"
