from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.journal import recall
from edge.journal.recall import ENTRY_BYTES, RECALL_MIN, DeviceRecall, Seen, recall_entry


def entry(reading_id: str, content: str = "a") -> bytes:
    return recall_entry(reading_id, "fare.tap", content.encode())


def test_an_entry_is_of_the_id_and_of_type_and_data() -> None:
    assert len(entry("1")) == ENTRY_BYTES
    assert entry("1")[:16] == entry("1", "b")[:16]
    assert entry("1")[16:] == entry("2")[16:]
    assert entry("1") != entry("1", "b")
    assert recall_entry("1", "a", b"bc") != recall_entry("1", "ab", b"c")


def test_an_id_is_new_then_the_same_or_of_other_content() -> None:
    memory = DeviceRecall()
    assert memory.look_up(entry("1")) is Seen.NEW
    assert memory.look_up(entry("1")) is Seen.NEW  # to look is not to remember
    memory.remember(entry("1"))
    assert memory.look_up(entry("1")) is Seen.SAME
    assert memory.look_up(entry("1", "b")) is Seen.OTHER_CONTENT
    assert memory.look_up(entry("2")) is Seen.NEW


@given(st.lists(st.integers(1, 30), max_size=30), st.integers(1, 20))
def test_at_least_the_last_so_many_are_remembered_and_at_most_a_batch_more(batches: list[int], minimum: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recall, "RECALL_MIN", minimum)
        memory, stored, said = DeviceRecall(), dict[int, bytes](), list[bytes]()
        for number, count in enumerate(batches, 1):
            for _ in range(count):
                said.append(entry(str(len(said))))
                memory.remember(said[-1])
            stored[number] = memory.seal(number)
            forgotten = memory.forget_old() or 0
            stored = {batch: entries for batch, entries in stored.items() if batch > forgotten}

            restored = DeviceRecall()
            restored.restore(sorted(stored.items(), reverse=True))
            for one in (memory, restored):
                assert all(one.look_up(old) is Seen.SAME for old in said[-minimum:])
                remembered = sum(one.look_up(old) is Seen.SAME for old in said)
                assert remembered < minimum + max(batches)
            assert sum(map(len, stored.values())) < ENTRY_BYTES * (minimum + max(batches))


def test_the_product_remembers_ten_thousand() -> None:
    assert RECALL_MIN == 10_000


def test_a_batch_without_ids_stores_nothing() -> None:
    memory = DeviceRecall()
    assert memory.seal(1) == b""
    assert memory.forget_old() is None
