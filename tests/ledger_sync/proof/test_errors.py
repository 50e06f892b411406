import inspect

import pytest

from ledger_sync.proof import errors
from ledger_sync.proof.errors import CborError, MalformedError, ProofError, Reason, RefusedError, RoleError, SchemaError


def test_whoever_catches_proof_errors_catches_whatever_is_wrong_with_a_proof() -> None:
    made_here = [one for _, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__]
    raised = [one for one in made_here if issubclass(one, Exception)]
    assert [one.__name__ for one in raised if not issubclass(one, ProofError)] == ["UnreadableError"]
    assert issubclass(RoleError, MalformedError)


def test_the_tree_at_the_top_names_every_error() -> None:
    for name, one in inspect.getmembers(errors, inspect.isclass):
        if issubclass(one, Exception) and one.__module__ == errors.__name__:
            assert name in str(errors.__doc__)


def test_facts_are_attributes() -> None:
    assert CborError("ends too early", 7).offset == 7
    assert str(CborError("ends too early", 7)) == "ends too early (at byte 7)"
    assert SchemaError("is required", "token").field == "token"
    assert str(SchemaError("is too large")) == "is too large"
    assert RefusedError(Reason.KEY_REVOKED, "since entry 3").reason == "key-revoked"


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_a_word_that_programs_can_compare(reason: Reason) -> None:
    assert reason.value == reason.name.lower().replace("_", "-")
